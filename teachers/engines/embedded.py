"""The engine `embedded`: llama.cpp in this process, by default with SmolLM2-135M-Instruct.

Each request in flight has one slot, and all slots are decoded in one batch (continuous batching). A slot keeps its last
prompt, so prompts with the same beginning skip that part; slot_prompts.py chooses the slot. A seed fixes the random
draws; as with every batching engine, rounding depends on the other requests of a batch, so only a request that runs
alone gives the same text again.
"""

import asyncio
import os
import secrets
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from skillmill.data.errors import ConfigError, TeacherError
from skillmill.data.files import sha256_of
from skillmill.data.processors import usable_cpus
from skillmill.data.reasons import BAD_REQUEST, CONTEXT_LENGTH
from skillmill.teachers.base import Reply, Request, RequestFailed, TransientError
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.embedded_model.weights import WEIGHTS, checked_gguf, engine_weights
from skillmill.teachers.engines import OpenEngine
from skillmill.teachers.engines.own_folder import own_folder
from skillmill.teachers.engines.shared import SectionTeacher, shared
from skillmill.teachers.engines.slot_prompts import SlotPrompts
from skillmill.teachers.reasoning import separate_reasoning

CONTEXT_PER_SLOT = 2048
"""Tokens of prompt and reply together; SmolLM2 needs 23 kB of memory for each token, 0.75 GB for 16 slots."""

_RESERVED_ARGS = {"model", "n_parallel"}
"""Parameters that are set by `model` and `max_in_flight` of the configuration."""

SLOT_ACTION_S = 60
"""The time within which llama.cpp saves or restores a prompt; it does so between two batches."""


def engine_name(config: TeacherConfig) -> str:
    """Return the teacher's name in plan and rows. Raises `ConfigError` if `model` is not a readable GGUF file."""
    return embedded_name(config.model, config.section)


def check_engine(config: TeacherConfig) -> None:
    """Check model file and engine arguments. Raises as `Embedded` does."""
    path = Path(WEIGHTS.name) if config.model is None else checked_gguf(Path(config.model).expanduser(), config.section)
    _params(_import_xllamacpp(config.section), path, config.max_in_flight, config.engine_args, config.section)


@asynccontextmanager
async def open_engine(config: TeacherConfig, folder: Path) -> AsyncIterator[OpenEngine]:
    """Open the engine, which all sections with the same settings share. `folder` is not used.

    Raises as `Embedded` does.
    """
    engine = await asyncio.to_thread(shared_engine, config)
    yield OpenEngine(SectionTeacher(engine, config.section))


def shared_engine(config: TeacherConfig) -> "Embedded":
    """Return this process's engine for the settings; the first call starts it. Blocks until the model is loaded."""
    settings = config.model, config.max_in_flight, config.engine_args
    return shared(lambda: Embedded(*settings, config.section), "embedded", *settings)


def embedded_name(model: str | None, section: str = "teacher") -> str:
    """Return the teacher's name; the name of a user's file includes a checksum of its content.

    Raises `ConfigError` that names `section`.model if the file is not a readable GGUF file.
    """
    if model is None:
        return f"embedded:{WEIGHTS.name.removesuffix('.gguf')}"
    path = checked_gguf(Path(model).expanduser(), section)
    return f"embedded:{path.stem}-{sha256_of(path)[:8]}"


class Embedded:
    """One model in `max_in_flight` parallel slots. Any thread and event loop may use it until `close()`.

    `engine_args` are fields of llama.cpp's common params (`n_ctx`, the sum over all slots; dotted names such as
    `cpuparams.n_threads`; `verbosity`). Raises `ConfigError` for a field that llama.cpp does not have and
    `TeacherError` if the model cannot be fetched or loaded. Messages name the keys of `section`.
    """

    def __init__(
        self, model: str | None, max_in_flight: int, engine_args: dict[str, Any], section: str = "teacher"
    ) -> None:
        llama = _import_xllamacpp(section)
        path = engine_weights() if model is None else checked_gguf(Path(model).expanduser(), section)
        self.name = embedded_name(model, section)
        params = _params(llama, path, max_in_flight, engine_args, section)
        self._saved = own_folder()
        params.slot_save_path = f"{self._saved.name}{os.sep}"
        self._api_key = params.api_keys[0]
        try:
            self._server = llama.Server(params)
            # llama.cpp hangs if it is closed before its loop runs: one generated token proves that the loop runs.
            self._server.handle_chat_completions({"messages": [{"role": "user", "content": ""}], "max_tokens": 1})
        except Exception as error:
            raise TeacherError(
                f"embedded model: llama.cpp cannot load {path} ({error}); it may be damaged, of a kind it "
                f"does not know, or too large for the memory; {section}.engine_args.verbosity: 3 shows its log"
            ) from None
        # llama.cpp blocks its caller, so each slot has a thread. A request that waits for a thread can be cancelled.
        self._threads = ThreadPoolExecutor(max_in_flight, thread_name_prefix="embedded")
        self._closed = threading.Event()
        self._prompts = SlotPrompts(max_in_flight, Path(self._saved.name), self._slot_action)

    async def chat(self, request: Request, section: str = "teacher") -> Reply:
        """Answer one request; if it is cancelled, its slot stops at the next token.

        Raises `RequestFailed` if this request alone fails, `TransientError` if another try may succeed and
        `TeacherError` if the engine is closed.
        """
        if self._closed.is_set():
            raise TeacherError("embedded model: the engine is closed")
        cancelled = threading.Event()
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._complete, request, cancelled, section)
        finally:
            cancelled.set()

    def close(self) -> None:
        """Stop the requests in flight and free the model. A second call does nothing."""
        if not self._closed.is_set():
            self._closed.set()
            self._threads.shutdown(wait=True, cancel_futures=True)
            self._server = None
            self._saved.cleanup()

    def _complete(self, request: Request, cancelled: threading.Event, section: str) -> Reply:
        chunks: list[dict[str, Any]] = []

        def receive(chunk: dict[str, Any]) -> bool:
            chunks.append(chunk)
            return cancelled.is_set() or self._closed.is_set()

        try:
            with self._prompts.slot_for(request.messages) as held:
                self._server.handle_chat_completions({**chat_body(request), "id_slot": held.slot}, receive)
                held.reply = _text_of(chunks)
        except Exception as error:  # the binding raises for a request that it cannot read, such as a bad schema
            raise RequestFailed(BAD_REQUEST, str(error)) from None
        if self._closed.is_set():
            raise TeacherError("embedded model: the engine was closed while it answered")
        return _reply(chunks, section)

    def _slot_action(self, slot: int, action: str, file: str) -> int:
        """Save or restore the prompt of a slot by llama.cpp's HTTP server and return its size in bytes."""
        connection = HTTPConnection(urlsplit(self._server.listening_address).netloc, timeout=SLOT_ACTION_S)
        try:
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._api_key}"}
            body = orjson.dumps({"filename": file})
            connection.request("POST", f"/slots/{slot}?action={action}", body, headers)
            reply = connection.getresponse()
            content = reply.read()
        except HTTPException as error:
            raise OSError(f"{type(error).__name__}: {error}") from None
        finally:
            connection.close()
        if reply.status != 200:
            raise OSError(content.decode(errors="replace"))
        numbers = orjson.loads(content)
        return int(numbers["n_written" if action == "save" else "n_read"])


def _import_xllamacpp(section: str) -> Any:
    """Import xllamacpp with OpenMP threads that sleep at barriers instead of spinning.

    Spinning gains almost nothing on idle cores; with one other busy process on two cores it is five times slower.
    OpenMP reads the variable once, when the library is loaded, so it is removed afterwards.
    """
    set_by_user = "OMP_WAIT_POLICY" in os.environ or "GOMP_SPINCOUNT" in os.environ
    if not set_by_user:
        os.environ["OMP_WAIT_POLICY"] = "passive"
    try:
        import xllamacpp
    except ImportError as error:
        raise TeacherError(
            f"{section}.kind: embedded needs xllamacpp, which this Python does not have ({error}); "
            "pip install xllamacpp, or use kind: openai"
        ) from None
    finally:
        if not set_by_user:
            del os.environ["OMP_WAIT_POLICY"]
    return xllamacpp


def _params(llama: Any, path: Path, slots: int, engine_args: dict[str, Any], section: str) -> Any:
    params = llama.CommonParams()
    defaults = {
        "model.path": str(path),
        "n_parallel": slots,
        "n_ctx": slots * CONTEXT_PER_SLOT,
        "cpuparams.n_threads": usable_cpus(),
        "cpuparams_batch.n_threads": usable_cpus(),
        "verbosity": -1,
        "warmup": False,
        "fit_params": False,  # the sizes are given, so llama.cpp need not probe the memory
        "slot_prompt_similarity": 1e-6,  # what a slot holds goes to the host cache unless the request continues it
        "cache_ram_mib": 512,  # limits the old prompts that are kept for their beginnings (llama.cpp's default: 8 GB)
        # llama.cpp always opens a port on the loopback device; a random key keeps other processes out of it.
        "n_threads_http": 1,
        "api_keys": [secrets.token_urlsafe(24)],
        "ui": False,
        "endpoint_slots": False,
    }
    for key, value in defaults.items():
        _set(params, key, value)
    for key, value in _flattened(engine_args):
        where = f"{section}.engine_args.{key}"
        if key.split(".")[0] in _RESERVED_ARGS:
            raise ConfigError(f"{where}: set {section}.model or {section}.max_in_flight instead")
        try:
            _set(params, key, value)
        except AttributeError:
            raise ConfigError(f"{where}: llama.cpp has no such parameter") from None
        except (TypeError, ValueError, OverflowError) as error:
            raise ConfigError(f"{where}: {error}, got {value!r}") from None
    return params


def _flattened(arguments: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Return (dotted name, value) pairs: `{"cpuparams": {"n_threads": 2}}` gives `("cpuparams.n_threads", 2)`."""
    flat: list[tuple[str, Any]] = []
    for key, value in arguments.items():
        flat += _flattened(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", value)]
    return flat


def _set(params: Any, dotted: str, value: Any) -> None:
    """Set a field by its dotted name. Raises `AttributeError` if there is none and `TypeError` for a wrong type."""
    *parents, name = dotted.split(".")
    for parent in parents:
        params = getattr(params, parent)
    if name.startswith("_"):
        raise AttributeError(name)
    current = getattr(params, name)
    try:
        setattr(params, name, value)
    except TypeError:
        raise TypeError(f"expected {type(current).__name__}") from None


def chat_body(request: Request) -> dict[str, Any]:
    """Return the request as a body of the chat API; further fields of `Sampling` are passed unchanged."""
    body = {
        **request.sampling.parameters,
        "messages": request.messages,
        "seed": request.seed,
        "stream": True,  # a cancelled request stops at the callback of the next token
        "stream_options": {"include_usage": True},
    }
    if request.json_schema is not None:
        schema = {"name": "answer", "strict": True, "schema": request.json_schema}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


def _text_of(chunks: list[dict[str, Any]]) -> str:
    """Return the text of the reply so far, without what is set apart as reasoning."""
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk.get("choices", []))


def _reply(chunks: list[dict[str, Any]], section: str) -> Reply:
    thinking, finish_reason = [], ""
    usage: dict[str, Any] = {}
    for chunk in chunks:
        if "error" in chunk or "choices" not in chunk:
            raise _failure(chunk.get("error", chunk), section)
        usage = chunk.get("usage") or usage
        for choice in chunk["choices"]:
            thinking.append(choice["delta"].get("reasoning_content") or "")
            finish_reason = choice["finish_reason"] or finish_reason
    answer, reasoning = separate_reasoning(_text_of(chunks), "".join(thinking))
    return Reply(
        text=answer,
        finish_reason=finish_reason or "length",
        prompt_tokens=usage.get("prompt_tokens", 0),
        completion_tokens=usage.get("completion_tokens", 0),
        cached_tokens=(usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0),
        thinking=reasoning,
    )


def _failure(error: object, section: str) -> RequestFailed | TransientError:
    """Return the exception for an error object of llama.cpp."""
    if not isinstance(error, dict):
        return RequestFailed(BAD_REQUEST, str(error))
    message = str(error.get("message", error))
    if error.get("type") == "exceed_context_size_error":
        return RequestFailed(
            CONTEXT_LENGTH,
            f"the prompt has {error.get('n_prompt_tokens')} tokens, a slot holds {error.get('n_ctx')} "
            f"({section}.engine_args.n_ctx divided by {section}.max_in_flight)",
        )
    if int(error.get("code", 400)) >= 500:
        return TransientError(message)
    return RequestFailed(BAD_REQUEST, message)
