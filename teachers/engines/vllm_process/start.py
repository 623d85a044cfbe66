"""Starting vLLM's asynchronous engine so that it keeps quiet and says in one line why it will not start."""

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

_OWN_ARGS = {"model": "teacher.model", "served_model_name": "teacher.model"}
_CAUSE = re.compile(r"^(?:\(.*?\) ERROR [^\]]*\] )?(?:[\w.]+\.)?(\w+(?:Error|Exception)): (.*\S)", re.MULTILINE)


def import_vllm() -> None:
    """Load vLLM, with its usage statistics off. Raises `ConfigError` where it is not installed."""
    os.environ.update(VLLM_NO_USAGE_STATS="1", DO_NOT_TRACK="1")  # read at import, here and in its processes
    try:
        with output_into_log():
            import vllm.v1.engine.async_llm  # noqa: F401 (vllm alone loads nothing yet)
    except ModuleNotFoundError as error:
        if error.name != "vllm":
            raise TeacherError(f"teacher.kind: vllm cannot be loaded ({error})") from None
        raise ConfigError('teacher.kind: vllm needs pip install "skillmill[vllm]"') from None
    except Exception as error:  # a vLLM built for other libraries than those it finds fails in many ways
        raise TeacherError(f"teacher.kind: vllm cannot be loaded ({_line(error)})") from None


def start_engine(model: str, engine_args: dict[str, Any]) -> Any:
    """An `AsyncLLM` in its own processes, bound to the running event loop; blocks until it answers.

    Raises `ConfigError` for arguments that vLLM does not have or refuses, `TeacherError` where it cannot start.
    """
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.v1.engine.async_llm import AsyncLLM

    known = {field.name for field in dataclasses.fields(AsyncEngineArgs)}
    for key in engine_args.keys() - {LORA}:
        if key in _OWN_ARGS:
            raise ConfigError(f"teacher.engine_args.{key}: set {_OWN_ARGS[key]} instead")
        if key not in known:
            raise ConfigError(
                f"teacher.engine_args.{key}: vLLM has no such argument, expected one of `vllm serve --help`"
            )
    given = {key: value for key, value in engine_args.items() if key != LORA}
    with output_into_log():
        try:
            configuration = AsyncEngineArgs(model=model, **(_defaults() | given)).create_engine_config()
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"] if part in given)
            said = first["msg"].removeprefix("Value error, ")[:300]
            raise ConfigError(f"teacher.engine_args{'.' + where if where else ''}: {said}") from None
        except Exception as error:
            raise ConfigError(f"teacher.model, teacher.engine_args: vLLM refuses {model}: {_line(error)}") from None
    print(f"teacher: starting vLLM, its log is {log_path()}", file=sys.stderr, flush=True)
    begin = log_path().stat().st_size
    os.environ[PARENT] = str(os.getpid())
    with output_into_log() as terminal, redirect_stderr(terminal):  # our own progress goes on
        try:
            return AsyncLLM.from_vllm_config(configuration, disable_log_stats=True)
        except Exception as error:
            raise engine_failure("cannot start", begin, error) from None
        finally:
            logging.getLogger("vllm").handlers = [logging.FileHandler(log_path())]


def _defaults() -> dict[str, Any]:
    """What differs from vLLM's own defaults.

    JSON comes without white space between its parts: a small model may go on with that until its tokens are used up.
    On a CPU, vLLM 0.32 dies of a request with a seed whose prompt is computed in chunks (torch's CPU generator cannot
    be set back), so prompts are computed whole there.
    """
    from vllm.platforms import current_platform

    compact = {"structured_outputs_config": {"backend": "guidance", "disable_any_whitespace": True}}
    return compact | ({"enable_chunked_prefill": False} if current_platform.is_cpu() else {})


def engine_failure(what: str, begin: int, error: BaseException) -> SkillmillError:
    """One line for an engine that failed: its processes said why in the log after byte `begin`."""
    with log_path().open(errors="replace") as log:
        log.seek(begin)
        cause = _CAUSE.search(log.read())
    why = f"{cause[1]}: {cause[2]}"[:300] if cause else _line(error)
    return TeacherError(f"vllm: the engine {what} ({why}); its log is {log_path()}")


def log_path() -> Path:
    """What vLLM says on its way: the last run's, in the user's cache directory."""
    return cache_dir() / "vllm.log"


@contextmanager
def output_into_log() -> Iterator[TextIO]:
    """Standard output and error of this process, and for good of the processes started meanwhile, go to the log.

    Not only Python writes there: torch and its libraries do as well. Yields where standard error went before.
    """
    log_path().parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    kept = {descriptor: os.dup(descriptor) for descriptor in (1, 2)}
    log = os.open(log_path(), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        for descriptor in kept:
            os.dup2(log, descriptor)
        with os.fdopen(os.dup(kept[2]), "w", buffering=1, errors="replace") as terminal:
            yield terminal
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor, before in kept.items():
            os.dup2(before, descriptor)
            os.close(before)
        os.close(log)


def _line(error: BaseException) -> str:
    return " ".join((str(error) or type(error).__name__).split())[:300]
