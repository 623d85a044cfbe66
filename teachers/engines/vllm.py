"""The engine `vllm`: vLLM's asynchronous engine, started by this process and shared by all of it.

Each request is one coroutine, batched with the other requests in flight (continuous batching) and rendered with the
model's own chat template. Prompts with the same beginning share its keys and values (automatic prefix caching). An
engine of vLLM belongs to one event loop, so it runs in a loop of its own in a thread; any other loop may send it
requests.
"""

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import orjson

from skillmill.data.errors import ConfigError, TeacherError
from skillmill.data.reasons import BAD_REQUEST, CONTEXT_LENGTH
from skillmill.data.records import Message
from skillmill.teachers.base import Reply, Request, RequestFailed, Sampling, TransientError
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.engines import OpenEngine
from skillmill.teachers.engines.shared import SectionTeacher, shared
from skillmill.teachers.engines.vllm_process.model import LORA, vllm_model, vllm_name
from skillmill.teachers.engines.vllm_process.start import engine_failure, import_vllm, log_path, start_engine
from skillmill.teachers.reasoning import separate_reasoning

TEMPLATE = "chat_template_kwargs"
"""A sampling field with arguments of the chat template, as in `vllm serve`: `{enable_thinking: false}`."""

_RESERVED = {"n", "seed", "output_kind", "structured_outputs", "detokenize", "skip_clone", "stream_interval"}
"""Fields of vLLM's `SamplingParams` that a configuration may not set."""

Result = TypeVar("Result")


def engine_name(config: TeacherConfig) -> str:
    """Return the teacher's name in plan and rows. Raises `TeacherError` if a path is not a folder of a model."""
    return vllm_name(config.model, config.engine_args, config.section)


def check_engine(config: TeacherConfig) -> None:
    """Check that vLLM is installed and that folders of model and adapter are there. Raises as `Vllm` does.

    vLLM is not imported, because that takes many seconds.
    """
    engine_name(config)
    if find_spec("vllm") is None:
        import_vllm(config.section)


@asynccontextmanager
async def open_engine(config: TeacherConfig, folder: Path) -> AsyncIterator[OpenEngine]:
    """Open the engine, which all sections with the same settings share. `folder` is not used.

    Raises as `Vllm` does, and `ConfigError` for a sampling field that vLLM does not take.
    """
    engine = await asyncio.to_thread(shared_engine, config)
    yield OpenEngine(SectionTeacher(engine, config.section))


def shared_engine(config: TeacherConfig) -> "Vllm":
    """Return this process's engine for the settings; the first call starts it. Blocks until the model is loaded."""
    check_vllm_sampling(config.sampling, config.section)
    model, arguments = config.model, config.engine_args
    return shared(lambda: Vllm(model, arguments, config.section), "vllm", model, arguments)


class Vllm:
    """One model in one engine. Any thread and event loop may use it until `close()`.

    `engine_args` are those of `vllm serve` with underscores (`tensor_parallel_size`, `quantization`, `max_model_len`),
    and `lora`, the folder of an adapter. Raises `ConfigError` if vLLM is not installed or rejects an argument and
    `TeacherError` if the model cannot be found or the engine cannot start. Messages name the keys of `section`.
    """

    def __init__(self, model: str | None, engine_args: dict[str, Any], section: str = "teacher") -> None:
        import_vllm(section)
        self.name = vllm_name(model, engine_args, section)
        path = vllm_model(model, section)
        self._lora, arguments = _with_lora(engine_args)
        self._ids = itertools.count()
        self._closed = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="vllm", daemon=True)
        self._thread.start()
        try:
            self._engine = self._submit(_start(path, arguments, section)).result()
        except BaseException:
            self._stop_loop()
            raise
        self._log_start = log_path().stat().st_size

    async def chat(self, request: Request, section: str = "teacher") -> Reply:
        """Answer one request; if it is cancelled, the engine drops it.

        Raises `RequestFailed` if this request alone fails, `TransientError` if another try may succeed and
        `TeacherError` if the engine is closed or dead.
        """
        if self._closed:
            raise TeacherError("vllm: the engine is closed")
        return await asyncio.wrap_future(self._submit(self._generate(request, section)))

    def close(self) -> None:
        """Stop the requests in flight and free the model. A second call does nothing."""
        if not self._closed:
            self._closed = True
            self._submit(self._shut_down()).result()
            self._stop_loop()

    async def _generate(self, request: Request, section: str) -> Reply:
        from vllm.exceptions import VLLMClientError
        from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

        output = None
        try:
            template = (request.sampling.model_extra or {}).get(TEMPLATE, {})
            prompt = await self._prompt(request.messages, template, section)
            parameters = sampling_params(request)
            request_id = f"{next(self._ids)}"  # unique: equal prompts are separate requests
            async for whole in self._engine.generate(prompt, parameters, request_id, lora_request=self._lora):
                output = whole
        except (EngineDeadError, asyncio.CancelledError) as error:
            if self._closed:
                raise TeacherError("vllm: the engine was closed while it answered") from None
            if isinstance(error, asyncio.CancelledError):
                raise
            raise engine_failure("died", self._log_start, error) from None
        except EngineGenerateError as error:
            raise TransientError(f"vllm: {error.__cause__ or error}") from None
        except (VLLMClientError, ValueError) as error:
            raise RequestFailed(BAD_REQUEST, f"vllm: {error}") from None
        return self._reply(output)

    def _reply(self, output: Any) -> Reply:
        answer = output.outputs[0]
        if answer.finish_reason not in ("stop", "length"):
            raise TransientError(f"vllm: the engine ended the request with {answer.finish_reason}")
        text, thinking = separate_reasoning(answer.text)
        return Reply(
            text=text,
            finish_reason=answer.finish_reason,
            prompt_tokens=len(output.prompt_token_ids),
            completion_tokens=len(answer.token_ids),
            cached_tokens=output.num_cached_tokens or 0,
            thinking=thinking,
            thinking_tokens=len(self._engine.get_tokenizer().encode(thinking)) if thinking else 0,
        )

    async def _prompt(self, messages: list[Message], template: dict[str, Any], section: str = "teacher") -> Any:
        """Return the messages rendered with the model's chat template and tokenized."""
        from vllm.renderers import ChatParams

        renderer = self._engine.renderer
        chat = ChatParams(chat_template_kwargs={"add_generation_prompt": True, **template})
        without_limit = replace(renderer.default_chat_tok_params, max_total_tokens=None)
        try:
            _, [prompt] = await renderer.render_chat_async([messages], chat, without_limit)
        except Exception as error:  # a model's own template may raise anything
            raise RequestFailed(BAD_REQUEST, f"vllm: the chat template refuses this: {error}") from None
        tokens, longest = len(prompt["prompt_token_ids"]), self._engine.model_config.max_model_len
        if tokens >= longest:
            raise RequestFailed(
                CONTEXT_LENGTH,
                f"the prompt has {tokens} tokens, the context {longest} ({section}.engine_args.max_model_len)",
            )
        return prompt

    async def _shut_down(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        self._engine.shutdown()
        self._engine = None
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _submit(self, coroutine: Coroutine[Any, Any, Result]) -> Future[Result]:
        """Run a coroutine in the engine's event loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def _stop_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def check_vllm_sampling(sampling: Sampling, section: str = "teacher") -> None:
    """Check the fields of `section`.sampling. Raises `ConfigError` for a field that vLLM does not know or rejects."""
    import_vllm(section)
    from vllm import SamplingParams
    from vllm.exceptions import VLLMClientError

    known = {name for name in SamplingParams.__struct_fields__ if not name.startswith("_")} - _RESERVED | {TEMPLATE}
    for key in sampling.model_extra or {}:
        if key not in known:
            raise ConfigError(
                f"{section}.sampling.{key}: vLLM has no such parameter, expected {', '.join(sorted(known))}"
            )
    try:
        sampling_params(Request([], sampling, 0))
    except (TypeError, ValueError, VLLMClientError) as error:
        raise ConfigError(f"{section}.sampling: vLLM says: {error}") from None


def sampling_params(request: Request) -> Any:
    """Return the request's parameters as vLLM's `SamplingParams`; further fields of `Sampling` are passed unchanged."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

    fields = request.sampling.model_dump(exclude={TEMPLATE})
    if request.json_schema is not None:
        fields["structured_outputs"] = StructuredOutputsParams(json=orjson.dumps(request.json_schema).decode())
    return SamplingParams(**fields, seed=request.seed, output_kind=RequestOutputKind.FINAL_ONLY)


def _with_lora(engine_args: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return the `LoRARequest` for the adapter in `engine_args.lora` (None without one) and vLLM's arguments for it."""
    if not engine_args.get(LORA):
        return None, engine_args
    from vllm.lora.request import LoRARequest

    folder = Path(engine_args[LORA]).expanduser()
    rank = int(orjson.loads((folder / "adapter_config.json").read_bytes())["r"])
    max_rank = next((size for size in (8, 16, 32, 64, 128, 256, 320, 512) if size >= rank), rank)
    return LoRARequest(folder.name, 1, str(folder)), {"enable_lora": True, "max_lora_rank": max_rank, **engine_args}


async def _start(path: str, arguments: dict[str, Any], section: str) -> Any:
    """Start the engine inside the event loop that it will belong to."""
    return start_engine(path, arguments, section)
