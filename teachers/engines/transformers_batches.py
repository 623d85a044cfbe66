"""The engine `transformers`: a checkpoint, with an adapter if it has one, in this process on its GPU or CPU.

It answers with the continuous batching of transformers: each request in flight is one sequence of a batch that changes
at every token. So a student that was just trained is evaluated without conversion, whatever its architecture. The seed
of a request is not used, because a batch has one generator; the journal keeps the replies.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from skillmill.data.errors import ConfigError, SkillmillError, TeacherError
from skillmill.data.reasons import BAD_REQUEST, CONTEXT_LENGTH
from skillmill.data.records import Message
from skillmill.teachers.base import Reply, Request, RequestFailed, Sampling, TransientError
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.engines import OpenEngine
from skillmill.teachers.engines.shared import SectionTeacher
from skillmill.teachers.engines.vllm_process.model import LORA, checkpoint_name, vllm_model
from skillmill.teachers.reasoning import separate_reasoning

ARGUMENTS = (LORA, "tokenizer", "device", "dtype")
"""The keys of `engine_args`: the folder of an adapter, the folder of a tokenizer, torch's device and dtype."""
CACHE_PER_REQUEST, LEAST_CACHE = 1024, 4096
"""Tokens in the cache of keys and values: for each request in flight, and at least. All requests share the cache."""
STEP_TOKENS = 2048
"""The most tokens that one step of the model reads."""
PAGE = 64
"""Tokens in a page of that cache."""


def engine_name(config: TeacherConfig) -> str:
    """Return the model's name with a checksum. Raises `TeacherError` if a path is not a folder of a model."""
    return f"transformers:{checkpoint_name(config.model, config.engine_args, config.section)}"


def check_engine(config: TeacherConfig) -> None:
    """Check the extra, the arguments, the device and the chat template. Raises `ConfigError` or `TeacherError`."""
    section = config.section
    for key in config.engine_args:
        if key not in ARGUMENTS:
            raise ConfigError(f"{section}.engine_args.{key}: unknown key, expected one of {', '.join(ARGUMENTS)}")
    engine_name(config)
    if not all(map(find_spec, ("torch", "transformers", "peft"))):
        raise ConfigError(f'{section}: needs the extra: pip install "skillmill[train]"')
    _device(config)
    _dtype(config, "cpu")
    _load_tokenizer(config)
    _generation_config(config.sampling, [0], 0, section)


@asynccontextmanager
async def open_engine(config: TeacherConfig, folder: object) -> AsyncIterator[OpenEngine]:
    """Open the engine for the duration of the block. `folder` is not used. Raises as `check_engine` does."""
    check_engine(config)
    engine = TransformersBatches(config)
    try:
        yield OpenEngine(SectionTeacher(engine, config.section))
    finally:
        await engine.close()


class TransformersBatches:
    """One model in a thread that generates for all requests in flight, from the first request until `close()`.

    Messages name the keys of the section of `config`.
    """

    def __init__(self, config: TeacherConfig) -> None:
        self.name = engine_name(config)
        self._config = config
        self._ids = itertools.count()
        self._starting: asyncio.Task[_Batches] | None = None

    async def chat(self, request: Request, section: str = "teacher") -> Reply:
        """Answer one request; if it is cancelled, it leaves the batch at the next token.

        Raises `RequestFailed` if this request alone fails, `ConfigError` if the model cannot be loaded and
        `TeacherError` if the engine has stopped.
        """
        if request.json_schema is not None:
            raise RequestFailed(BAD_REQUEST, "the engine transformers cannot hold a reply to a JSON schema")
        if self._starting is None:  # replies from the journal need no model
            self._starting = asyncio.create_task(asyncio.to_thread(_start, self._config))
        batches = await asyncio.shield(self._starting)  # transformers cannot load two models at once
        prompt = _prompt(batches.tokenizer, request.messages)
        room = batches.longest - len(prompt)
        if room < 1:
            raise RequestFailed(CONTEXT_LENGTH, f"the prompt has {len(prompt)} tokens, the context {batches.longest}")
        output = await self._generated(batches, prompt, min(request.sampling.max_tokens, room), section)
        if output.error:
            raise TransientError(f"transformers: {output.error}")
        return _reply(batches, len(prompt), output.generated_tokens)

    async def _generated(self, batches: "_Batches", prompt: list[int], limit: int, section: str) -> Any:
        name, answered = f"{next(self._ids)}", asyncio.get_running_loop().create_future()

        def deliver(output: Any) -> None:
            if not answered.done():
                answered.set_result(output)

        batches.manager.register_result_handler(name, deliver)
        if batches.manager.add_request(prompt, request_id=name, max_new_tokens=limit) is None:
            raise TeacherError(f"{section}: the engine transformers has stopped; -v shows its log")
        try:
            return await answered
        except asyncio.CancelledError:
            batches.manager.cancel_request(name)
            raise

    async def close(self) -> None:
        """Stop the requests in flight and free the model. A second call does nothing."""
        starting, self._starting = self._starting, None
        if starting is not None:
            with suppress(SkillmillError):  # a model that could not be loaded was reported by its requests
                batches = await starting
                await asyncio.to_thread(batches.manager.stop, block=True, hard_stop=True)


@dataclass(frozen=True)
class _Batches:
    """The running batches of a model: the manager of transformers, the tokenizer, and the model's limits in tokens."""

    manager: Any
    tokenizer: Any
    ends: list[int]
    longest: int


def _start(config: TeacherConfig) -> _Batches:
    """Load the model and start its batches. Raises `ConfigError`."""
    from transformers import ContinuousBatchingConfig

    tokenizer, model = _load_tokenizer(config), _load_model(config, _device(config))
    ends = _end_tokens(model, tokenizer)
    longest = int(getattr(model.config.get_text_config(), "max_position_embeddings", None) or 2**31)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else ends[0]
    generation = _generation_config(config.sampling, ends, pad, config.section)
    batching = ContinuousBatchingConfig(
        page_size=PAGE,
        num_blocks=-(-max(min(LEAST_CACHE, longest), CACHE_PER_REQUEST * config.max_in_flight) // PAGE),
        max_requests_per_batch=config.max_in_flight,
        max_batch_tokens=max(STEP_TOKENS, config.max_in_flight),
        drop_unsupported_processors=False,
        seed=0,
    )
    try:
        manager = model.init_continuous_batching(generation, batching)
        manager.start()
    except (ValueError, NotImplementedError, RuntimeError, AttributeError) as error:
        raise ConfigError(
            f"{config.section}: transformers cannot batch this model: {' '.join(str(error).split())[:300]}; "
            "evaluate.engine: vllm, or a .gguf file, may do"
        ) from None
    return _Batches(manager, tokenizer, ends, longest)


def _prompt(tokenizer: Any, messages: list[Message]) -> list[int]:
    try:
        rendered = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)
    except Exception as error:  # a model's own template may raise anything
        raise RequestFailed(BAD_REQUEST, f"the chat template refuses this: {error}") from None
    return list(rendered["input_ids"])


def _reply(batches: _Batches, prompt_tokens: int, generated: Iterable[int]) -> Reply:
    tokens = list(generated)
    text, thinking = separate_reasoning(batches.tokenizer.decode(tokens, skip_special_tokens=True))
    return Reply(
        text=text,
        finish_reason="stop" if tokens and tokens[-1] in batches.ends else "length",
        prompt_tokens=prompt_tokens,
        completion_tokens=len(tokens),
        thinking=thinking,
    )


def _device(config: TeacherConfig) -> str:
    """Return torch's device: the configured one, or else the GPU if there is one. Raises `ConfigError`."""
    import torch

    wanted = config.engine_args.get("device")
    if wanted is None:
        return str(torch.accelerator.current_accelerator() or "cpu") if torch.accelerator.is_available() else "cpu"
    try:
        device = torch.device(wanted)
        is_there = device.type == "cpu" or (
            torch.accelerator.is_available() and device.type == str(torch.accelerator.current_accelerator())
        )
    except (RuntimeError, TypeError):
        raise ConfigError(f"{config.section}.engine_args.device: expected cpu or cuda, got {wanted!r}") from None
    if not is_there:
        raise ConfigError(
            f"{config.section}.engine_args.device: asks for {wanted}, and this machine has none that torch can use"
        )
    return str(wanted)


def _dtype(config: TeacherConfig, device: str) -> Any:
    """Return torch's dtype: the configured one, else bfloat16 on a GPU and float32 on a CPU. Raises `ConfigError`."""
    import torch

    name = config.engine_args.get("dtype") or ("float32" if device == "cpu" else "bfloat16")
    dtype = getattr(torch, str(name), None)
    if not isinstance(dtype, torch.dtype):
        raise ConfigError(f"{config.section}.engine_args.dtype: expected float32, bfloat16 or float16, got {name!r}")
    return dtype


def _load_tokenizer(config: TeacherConfig) -> Any:
    """Return the tokenizer of the adapter's or the model's folder. Raises `ConfigError` if it has no chat template."""
    from transformers import AutoTokenizer

    arguments = config.engine_args
    source = arguments.get("tokenizer") or arguments.get(LORA) or vllm_model(config.model, config.section)
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=True)
    except (ValueError, OSError, KeyError, TypeError) as error:
        words = " ".join(str(error).split())[:200]
        raise ConfigError(f"{config.section}: {source} has no tokenizer that can be loaded ({words})") from None
    if tokenizer.chat_template is None:
        raise ConfigError(
            f"{config.section}: the tokenizer of {source} has no chat template; train with "
            "train.sft.args.chat_template_path, or put a chat_template.jinja beside it"
        )
    return tokenizer


def _load_model(config: TeacherConfig, device: str) -> Any:
    """Return the model on its device, the adapter merged into its weights. Raises `ConfigError`."""
    from transformers import AutoModelForCausalLM

    source, adapter = vllm_model(config.model, config.section), config.engine_args.get(LORA)
    try:
        model = AutoModelForCausalLM.from_pretrained(source, dtype=_dtype(config, device), local_files_only=True)
        if adapter:
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, adapter).merge_and_unload()
        return model.to(device).eval()
    except (ValueError, OSError, KeyError, RuntimeError) as error:
        words = " ".join(str(error).split())[:300]
        whose = f"{source} with the adapter {adapter}" if adapter else source
        raise ConfigError(f"{config.section}: transformers cannot load {whose}: {words}") from None


def _end_tokens(model: Any, tokenizer: Any) -> list[int]:
    """Return the tokens that end a reply: those of the model's generation configuration and of the tokenizer."""
    configured = model.generation_config.eos_token_id
    ends = configured if isinstance(configured, list) else [configured]
    known = [token for token in [*ends, tokenizer.eos_token_id] if token is not None]
    return list(dict.fromkeys(known)) or [-1]


def _generation_config(sampling: Sampling, ends: list[int], pad: int, section: str) -> Any:
    """Return the sampling as a `GenerationConfig`. Raises `ConfigError` for a field that transformers does not know."""
    from transformers import GenerationConfig

    for key in sampling.model_extra or {}:
        if not hasattr(GenerationConfig(), key):
            raise ConfigError(f"{section}.sampling.{key}: transformers has no such parameter")
    drawn = {"temperature": sampling.temperature, "top_p": sampling.top_p} if sampling.temperature else {}
    return GenerationConfig(
        do_sample=bool(sampling.temperature),
        max_new_tokens=sampling.max_tokens,
        eos_token_id=ends,
        pad_token_id=pad,
        top_k=None,
        **drawn,
        **(sampling.model_extra or {}),
    )
