"""Teacher `vllm`: vLLM's asynchronous engine, started by this process and shared by all of it.

One request is one coroutine, batched with whatever else is in flight (continuous batching), with the model's own chat
template. Prompts that share their beginning share its computed keys and values (automatic prefix caching). The engine
belongs to one event loop, so it has one of its own in a thread, and any loop may ask it.
"""

import asyncio
import itertools
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import orjson

from skillmill.data.errors import ConfigError, TeacherError
from skillmill.data.reasons import Reason
from skillmill.data.records import Message
from skillmill.teachers.base import Reply, Request, RequestFailed, Sampling, TransientError
from skillmill.teachers.engines.chat_api.completion import split_thinking
from skillmill.teachers.engines.vllm_process.model import LORA, vllm_model, vllm_name
from skillmill.teachers.engines.vllm_process.start import engine_failure, import_vllm, log_path, start_engine

TEMPLATE = "chat_template_kwargs"
"""A sampling field that goes to the chat template, as with `vllm serve`: `{enable_thinking: false}`."""

_OURS = {"n", "seed", "output_kind", "structured_outputs", "detokenize", "skip_clone", "stream_interval"}

Result = TypeVar("Result")


class Vllm:
    """One model in one engine. Shared by any threads and event loops until `close()`.

    `engine_args` are those of `vllm serve` with underscores (`tensor_parallel_size`, `quantization`, `max_model_len`),
    and `lora`, the folder of an adapter. Raises `ConfigError` where vLLM is not installed or refuses an argument,
    `TeacherError` where the model cannot be had or the engine cannot start.
    """

    def __init__(self, model: str | None, engine_args: dict[str, Any]) -> None:
        import_vllm()
        self.name = vllm_name(model, engine_args)
        path = vllm_model(model)
        self._lora, arguments = _with_lora(engine_args)
        self._ids = itertools.count()
        self._closed = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="vllm", daemon=True)
        self._thread.start()
        try:
            self._engine = self._there(_start(path, arguments)).result()
        except BaseException:
            self._stop_loop()
            raise
        self._begin = log_path().stat().st_size

    async def chat(self, request: Request) -> Reply:
        """Answer one request; when cancelled, the engine drops it.

        Raises `RequestFailed` for this request alone, `TransientError` where another try may help, `TeacherError` once the
        engine is closed or dead.
        """
        if self._closed:
            raise TeacherError("vllm: the engine is closed")
        return await asyncio.wrap_future(self._there(self._ask(request)))

    def close(self) -> None:
        """Stop what is in flight and free the model. A second call does nothing."""
        if not self._closed:
            self._closed = True
            self._there(self._shut_down()).result()
            self._stop_loop()

    async def _ask(self, request: Request) -> Reply:
        from vllm.exceptions import VLLMClientError
        from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

        output = None
        try:
            prompt = await self._prompt(request.messages, (request.sampling.model_extra or {}).get(TEMPLATE, {}))
            parameters = sampling_params(request)
            name = f"{next(self._ids)}"  # equal prompts are separate requests
            async for whole in self._engine.generate(prompt, parameters, name, lora_request=self._lora):
                output = whole
        except (EngineDeadError, asyncio.CancelledError) as error:
            if self._closed:
                raise TeacherError("vllm: the engine was closed while it answered") from None
            if isinstance(error, asyncio.CancelledError):
                raise
            raise engine_failure("died", self._begin, error) from None
        except EngineGenerateError as error:
            raise TransientError(f"vllm: {error.__cause__ or error}") from None
        except (VLLMClientError, ValueError) as error:
            raise RequestFailed(Reason.BAD_REQUEST, f"vllm: {error}") from None
        return self._reply(output)

    def _reply(self, output: Any) -> Reply:
        answer = output.outputs[0]
        if answer.finish_reason not in ("stop", "length"):
            raise TransientError(f"vllm: the engine ended the request with {answer.finish_reason}")
        text, thinking = split_thinking(answer.text)
        return Reply(
            text=text,
            finish_reason=answer.finish_reason,
            prompt_tokens=len(output.prompt_token_ids),
            completion_tokens=len(answer.token_ids),
            cached_tokens=output.num_cached_tokens or 0,
            thinking=thinking,
            thinking_tokens=len(self._engine.get_tokenizer().encode(thinking)) if thinking else 0,
        )

    async def _prompt(self, messages: list[Message], template: dict[str, Any]) -> Any:
        from vllm.renderers import ChatParams

        renderer = self._engine.renderer
        chat = ChatParams(chat_template_kwargs={"add_generation_prompt": True, **template})
        unbound = replace(renderer.default_chat_tok_params, max_total_tokens=None)
        try:
            _, [prompt] = await renderer.render_chat_async([messages], chat, unbound)
        except Exception as error:  # the model's own template, which may refuse anything
            raise RequestFailed(Reason.BAD_REQUEST, f"vllm: the chat template refuses this: {error}") from None
        tokens, longest = len(prompt["prompt_token_ids"]), self._engine.model_config.max_model_len
        if tokens >= longest:
            raise RequestFailed(
                Reason.CONTEXT_LENGTH,
                f"the prompt has {tokens} tokens, the context {longest} (teacher.engine_args.max_model_len)",
            )
        return prompt

    async def _shut_down(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        self._engine.shutdown()
        self._engine = None
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _there(self, coroutine: Coroutine[Any, Any, Result]) -> Future[Result]:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def _stop_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def check_vllm_sampling(sampling: Sampling) -> None:
    """Raises `ConfigError` for a field of `teacher.sampling` that vLLM does not know or refuses."""
    import_vllm()
    from vllm import SamplingParams
    from vllm.exceptions import VLLMClientError

    known = {name for name in SamplingParams.__struct_fields__ if not name.startswith("_")} - _OURS | {TEMPLATE}
    for key in sampling.model_extra or {}:
        if key not in known:
            raise ConfigError(
                f"teacher.sampling.{key}: vLLM has no such parameter, expected {', '.join(sorted(known))}"
            )
    try:
        sampling_params(Request([], sampling, 0))
    except (TypeError, ValueError, VLLMClientError) as error:
        raise ConfigError(f"teacher.sampling: vLLM says: {error}") from None


def sampling_params(request: Request) -> Any:
    """VLLM's `SamplingParams` of a request; fields of `Sampling` beyond ours go through as they are."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

    fields = request.sampling.model_dump(exclude={TEMPLATE})
    if request.json_schema is not None:
        fields["structured_outputs"] = StructuredOutputsParams(json=orjson.dumps(request.json_schema).decode())
    return SamplingParams(**fields, seed=request.seed, output_kind=RequestOutputKind.FINAL_ONLY)


def _with_lora(engine_args: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The adapter of `engine_args.lora` as every request names it, and the arguments that let vLLM load it."""
    if not engine_args.get(LORA):
        return None, engine_args
    from vllm.lora.request import LoRARequest

    folder = Path(engine_args[LORA]).expanduser()
    rank = int(orjson.loads((folder / "adapter_config.json").read_bytes())["r"])
    fits = next((size for size in (8, 16, 32, 64, 128, 256, 320, 512) if size >= rank), rank)
    return LoRARequest(folder.name, 1, str(folder)), {"enable_lora": True, "max_lora_rank": fits, **engine_args}


async def _start(path: str, arguments: dict[str, Any]) -> Any:
    return start_engine(path, arguments)
