"""Start vLLM's asynchronous engine with its output in a log, and report a failed start in one line."""

import dataclasses
import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any, TextIO

from pydantic import ValidationError

from skillmill.data.errors import ConfigError, SkillmillError, TeacherError
from skillmill.teachers.embedded_model.weights import cache_dir
from skillmill.teachers.engines.vllm_process.child import PARENT
from skillmill.teachers.engines.vllm_process.model import LORA

log = logging.getLogger(__name__)

_RESERVED_ARGS = {"model": "model", "served_model_name": "model"}
"""Arguments of vLLM that another key of the section sets, and that key."""
_CAUSE = re.compile(r"^(?:\(.*?\) ERROR [^\]]*\] )?(?:[\w.]+\.)?(\w+(?:Error|Exception)): (.*\S)", re.MULTILINE)


def import_vllm(section: str = "teacher") -> None:
    """Import vLLM with its usage statistics off.

    Raises `ConfigError` if it is not installed and `TeacherError` if it cannot be imported; both name `section`.kind.
    """
    os.environ.update(VLLM_NO_USAGE_STATS="1", DO_NOT_TRACK="1")  # read on import, here and in vLLM's processes
    try:
        with output_into_log():
            import vllm.v1.engine.async_llm  # noqa: F401 (`import vllm` alone loads almost nothing)
    except ModuleNotFoundError as error:
        if error.name != "vllm":
            raise TeacherError(f"{section}.kind: vllm cannot be loaded ({error})") from None
        raise ConfigError(f'{section}.kind: vllm needs pip install "skillmill[vllm]"') from None
    except Exception as error:  # a vLLM that was built for other versions of its libraries raises many errors
        raise TeacherError(f"{section}.kind: vllm cannot be loaded ({_one_line(error)})") from None


def start_engine(model: str, engine_args: dict[str, Any], section: str = "teacher") -> Any:
    """Start an `AsyncLLM` in processes of its own, bound to the running event loop; block until it is ready.

    Raises `ConfigError` for arguments that vLLM does not have or rejects and `TeacherError` if it cannot start.
    """
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.v1.engine.async_llm import AsyncLLM

    known = {field.name for field in dataclasses.fields(AsyncEngineArgs)}
    for key in engine_args.keys() - {LORA}:
        if key in _RESERVED_ARGS:
            raise ConfigError(f"{section}.engine_args.{key}: set {section}.{_RESERVED_ARGS[key]} instead")
        if key not in known:
            raise ConfigError(
                f"{section}.engine_args.{key}: vLLM has no such argument, expected one of `vllm serve --help`"
            )
    given = {key: value for key, value in engine_args.items() if key != LORA}
    with output_into_log():
        try:
            configuration = AsyncEngineArgs(model=model, **(_defaults() | given)).create_engine_config()
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"] if part in given)
            message = first["msg"].removeprefix("Value error, ")[:300]
            raise ConfigError(f"{section}.engine_args{'.' + where if where else ''}: {message}") from None
        except Exception as error:
            keys = f"{section}.model, {section}.engine_args"
            raise ConfigError(f"{keys}: vLLM refuses {model}: {_one_line(error)}") from None
    log.info("teacher: starting vLLM, its log is %s", log_path())
    log_start = log_path().stat().st_size
    os.environ[PARENT] = str(os.getpid())
    with output_into_log() as terminal, redirect_stderr(terminal):  # our own progress still reaches the terminal
        try:
            return AsyncLLM.from_vllm_config(configuration, disable_log_stats=True)
        except Exception as error:
            raise engine_failure("cannot start", log_start, error) from None
        finally:
            logging.getLogger("vllm").handlers = [logging.FileHandler(log_path())]


def _defaults() -> dict[str, Any]:
    """Return the arguments whose defaults differ from vLLM's.

    White space between the parts of JSON is disabled, because a small model may write it until its tokens are used up.
    On a CPU, vLLM 0.32 crashes on a request with a seed whose prompt is computed in chunks (torch's CPU generator
    cannot be set back), so chunked prefill is off there.
    """
    from vllm.platforms import current_platform

    compact = {"structured_outputs_config": {"backend": "guidance", "disable_any_whitespace": True}}
    return compact | ({"enable_chunked_prefill": False} if current_platform.is_cpu() else {})


def engine_failure(what: str, log_start: int, error: BaseException) -> SkillmillError:
    """Return the one-line error for a failed engine, with the cause found in the log after byte `log_start`."""
    with log_path().open(errors="replace") as log_file:
        log_file.seek(log_start)
        cause = _CAUSE.search(log_file.read())
    why = f"{cause[1]}: {cause[2]}"[:300] if cause else _one_line(error)
    return TeacherError(f"vllm: the engine {what} ({why}); its log is {log_path()}")


def log_path() -> Path:
    """Return the file with vLLM's output, in the user's cache directory."""
    return cache_dir() / "vllm.log"


@contextmanager
def output_into_log() -> Iterator[TextIO]:
    """Redirect standard output and error of this process to the log; yield the previous standard error.

    The file descriptors are redirected, because native libraries write to them too. Processes started inside the block
    keep writing to the log after it.
    """
    log_path().parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    saved = {descriptor: os.dup(descriptor) for descriptor in (1, 2)}
    log_file = os.open(log_path(), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        for descriptor in saved:
            os.dup2(log_file, descriptor)
        with os.fdopen(os.dup(saved[2]), "w", buffering=1, errors="replace") as terminal:
            yield terminal
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor, before in saved.items():
            os.dup2(before, descriptor)
            os.close(before)
        os.close(log_file)


def _one_line(error: BaseException) -> str:
    return " ".join((str(error) or type(error).__name__).split())[:300]
