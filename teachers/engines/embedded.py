"""Teacher `embedded`: llama.cpp in this process, by default with SmolLM2-135M-Instruct.

One slot per request in flight, decoded together in one batch (continuous batching); a slot keeps its
last prompt, so prompts that share their beginning skip it. Seeds fix the draws; as with every batching
engine, rounding depends on what shares the batch, so only a request that runs alone repeats to the letter.
"""

import asyncio
import os
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from skillmill.data.errors import ConfigError, TeacherError
from skillmill.data.files import sha256_of
from skillmill.data.reasons import Reason
from skillmill.teachers.base import Reply, Request, RequestFailed, TransientError
from skillmill.teachers.embedded_model.weights import WEIGHTS, engine_weights, own_weights

CONTEXT_PER_SLOT = 2048
"""Tokens of prompt and answer together; SmolLM2 costs 23 kB of memory a token, 0.75 GB at 16 slots."""

_OWN_ARGS = {"model", "n_parallel"}  # teacher.model and teacher.max_in_flight say these


def embedded_name(model: str | None) -> str:
    """The teacher's name, which is part of the plan: a user's own file is told apart by its content."""
    if model is None:
        return f"embedded:{WEIGHTS.name.removesuffix('.gguf')}"
    path = own_weights(Path(model).expanduser())
    return f"embedded:{path.stem}-{sha256_of(path)[:8]}"


class Embedded:
    """One model in `max_in_flight` parallel slots. Shared by any threads and event loops until `close()`.

    `engine_args` are fields of llama.cpp's common params (`n_ctx`, the sum over all slots; dotted names
    such as `cpuparams.n_threads`; `verbosity`). Raises `ConfigError` for one that llama.cpp does not
    have and `TeacherError` when the model cannot be had or loaded.
    """

    def __init__(self, model: str | None, max_in_flight: int, engine_args: dict[str, Any]) -> None:
        llama = _llama()
        path = engine_weights() if model is None else own_weights(Path(model).expanduser())
        self.name = embedded_name(model)
        params = _params(llama, path, max_in_flight, engine_args)
        try:
            self._server = llama.Server(params)
            # llama.cpp hangs for ever when it is closed before its loop runs: one token proves that it does
            self._server.handle_chat_completions({"messages": [{"role": "user", "content": ""}], "max_tokens": 1})
        except Exception as error:
            raise TeacherError(
                f"embedded model: llama.cpp cannot load {path} ({error}); it may be damaged, of a kind it "
                "does not know, or too large for the memory; teacher.engine_args.verbosity: 3 shows its log"
            ) from None
        # llama.cpp blocks its caller: one thread per slot; what waits for a slot can be cancelled here
        self._threads = ThreadPoolExecutor(max_in_flight, thread_name_prefix="embedded")
        self._closed = threading.Event()

    async def chat(self, request: Request) -> Reply:
        """Answer one request; when cancelled, its slot stops at the next token.

        Raises `RequestFailed` for this request alone, `TransientError` where another try may help, `TeacherError`
        once the engine is closed.
        """
        if self._closed.is_set():
            raise TeacherError("embedded model: the engine is closed")
        cancelled = threading.Event()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, request, cancelled)
        finally:
            cancelled.set()

    def close(self) -> None:
        """Stop what is in flight and free the model. A second call does nothing."""
        if not self._closed.is_set():
            self._closed.set()
            self._threads.shutdown(wait=True, cancel_futures=True)
            self._server = None

    def _ask(self, request: Request, cancelled: threading.Event) -> Reply:
        chunks: list[dict[str, Any]] = []

        def receive(chunk: dict[str, Any]) -> bool:
            chunks.append(chunk)
            return cancelled.is_set() or self._closed.is_set()

        try:
            self._server.handle_chat_completions(_body(request), receive)
        except Exception as error:  # the binding raises for a request it cannot read, such as a bad schema
            raise RequestFailed(Reason.BAD_REQUEST, str(error)) from None
        if self._closed.is_set():
            raise TeacherError("embedded model: the engine was closed while it answered")
        return _reply(chunks)


def _llama() -> Any:
    """xllamacpp, with OpenMP told to sleep at its barriers instead of spinning.

    Spinning costs next to nothing on idle cores; with one other busy process on two cores it is five
    times slower. OpenMP reads this once, when the library loads, so the variable is taken back after.
    """
    chosen = "OMP_WAIT_POLICY" in os.environ or "GOMP_SPINCOUNT" in os.environ
    if not chosen:
        os.environ["OMP_WAIT_POLICY"] = "passive"
    try:
        import xllamacpp
    except ImportError as error:
        raise TeacherError(
            f"teacher.kind: embedded needs xllamacpp, which this Python does not have ({error}); "
            "pip install xllamacpp, or use kind: openai"
        ) from None
    finally:
        if not chosen:
            del os.environ["OMP_WAIT_POLICY"]
    return xllamacpp


def _params(llama: Any, path: Path, slots: int, engine_args: dict[str, Any]) -> Any:
    params = llama.CommonParams()
    defaults = {
        "model.path": str(path),
        "n_parallel": slots,
        "n_ctx": slots * CONTEXT_PER_SLOT,
        "cpuparams.n_threads": usable_cpus(),
        "cpuparams_batch.n_threads": usable_cpus(),
        "verbosity": -1,
        "warmup": False,
        "fit_params": False,  # sizes are given, nothing to probe the memory for
        "cache_ram_mib": 512,  # bounds the old prompts that are kept for their beginnings (its default is 8 GB)
        # llama.cpp always opens a port on the loopback device; a random key keeps others out of it
        "n_threads_http": 1,
        "api_keys": [secrets.token_urlsafe(24)],
        "ui": False,
        "endpoint_slots": False,
    }
    for key, value in defaults.items():
        _set(params, key, value)
    for key, value in _flat(engine_args):
        if key.split(".")[0] in _OWN_ARGS:
            raise ConfigError(f"teacher.engine_args.{key}: set teacher.model or teacher.max_in_flight instead")
        try:
            _set(params, key, value)
        except AttributeError:
            raise ConfigError(f"teacher.engine_args.{key}: llama.cpp has no such parameter") from None
        except (TypeError, ValueError, OverflowError) as error:
            raise ConfigError(f"teacher.engine_args.{key}: {error}, got {value!r}") from None
    return params


def _flat(arguments: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """`{"cpuparams": {"n_threads": 2}}` and `{"cpuparams.n_threads": 2}` say the same."""
    flat: list[tuple[str, Any]] = []
    for key, value in arguments.items():
        flat += _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", value)]
    return flat


def _set(params: Any, dotted: str, value: Any) -> None:
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


def usable_cpus() -> int:
    """Cores this process may use: its affinity, and a container's quota (cgroup v2), which no count shows."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        count = min(count, max(1, int(quota) // int(period)))  # "max" is no number: no quota
    return count


def _body(request: Request) -> dict[str, Any]:
    """The request as the chat API has it; fields of `Sampling` beyond ours go through as they are."""
    body = {
        **request.sampling.model_dump(),
        "messages": request.messages,
        "seed": request.seed,
        "stream": True,  # a callback per token is where a cancelled request can stop
        "stream_options": {"include_usage": True},
    }
    if request.json_schema is not None:
        schema = {"name": "answer", "strict": True, "schema": request.json_schema}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


def _reply(chunks: list[dict[str, Any]]) -> Reply:
    text, thinking, finish_reason = [], [], ""
    usage: dict[str, Any] = {}
    for chunk in chunks:
        if "error" in chunk or "choices" not in chunk:
            raise _failure(chunk.get("error", chunk))
        usage = chunk.get("usage") or usage
        for choice in chunk["choices"]:
            text.append(choice["delta"].get("content") or "")
            thinking.append(choice["delta"].get("reasoning_content") or "")
            finish_reason = choice["finish_reason"] or finish_reason
    return Reply(
        text="".join(text),
        finish_reason=finish_reason or "length",
        prompt_tokens=usage.get("prompt_tokens", 0),
        completion_tokens=usage.get("completion_tokens", 0),
        cached_tokens=(usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0),
        thinking="".join(thinking),
    )


def _failure(error: Any) -> Exception:
    if not isinstance(error, dict):
        return RequestFailed(Reason.BAD_REQUEST, str(error))
    message = str(error.get("message", error))
    if error.get("type") == "exceed_context_size_error":
        return RequestFailed(
            Reason.CONTEXT_LENGTH,
            f"the prompt has {error.get('n_prompt_tokens')} tokens, a slot holds {error.get('n_ctx')} "
            "(teacher.engine_args.n_ctx divided by teacher.max_in_flight)",
        )
    if int(error.get("code", 400)) >= 500:
        return TransientError(message)
    return RequestFailed(Reason.BAD_REQUEST, message)
