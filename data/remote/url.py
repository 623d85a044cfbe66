"""The URL of an output directory on an object store, such as s3://bucket/run, and the folder of its copy here.

Nothing is imported that takes time: every command reads a configuration.
"""

import hashlib
import re
from pathlib import Path
from urllib.parse import urlsplit

from skillmill.data.errors import ConfigError

SCHEMES = ("s3", "gs", "az")
"""The object stores. The extra with the packages of a store has the name of its scheme."""


COPY = "output"
"""The folder in `work_dir` with the copy of the output directory."""


def is_url(output_dir: str) -> bool:
    """Return whether an output directory is a URL and no path."""
    return "://" in output_dir


def check_url(url: str) -> str:
    """Return the URL of an output directory without a slash at its end.

    Raises `ValueError` with what was expected, without the URL: it may hold a password.
    """
    scheme, _, rest = url.rstrip("/").partition("://")
    if scheme not in SCHEMES:
        expected = ", ".join(f"{each}://" for each in SCHEMES)
        raise ValueError(f"expected a path or a URL that begins with {expected}, got {scheme[:20]}://")
    if "@" in rest.partition("/")[0]:
        raise ValueError("expected a URL without a user or password; credentials belong in environment variables")
    if re.search(r"[*?\[\]#\s\\]", rest):
        raise ValueError("expected a URL without spaces, backslashes and * ? [ ] #")
    if any(part in ("", ".", "..") for part in rest.split("/")):
        raise ValueError(f"expected a bucket and folders such as {scheme}://bucket/run")
    return f"{scheme}://{rest}"


def checked_directory(name: str | Path) -> str:
    """Return the output directory that a command line names, a path or a URL. Raises `ConfigError`."""
    try:
        return check_url(str(name)) if is_url(str(name)) else str(name)
    except ValueError as error:
        raise ConfigError(f"DIR: {error}") from None


def cache_folder(url: str) -> Path:
    """Return the folder in the user's cache directory for the copy and the work of an output directory."""
    from platformdirs import user_cache_path

    parts = urlsplit(url)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{parts.netloc}{parts.path}")[-60:].strip("-.")
    return user_cache_path("skillmill") / "runs" / f"{name}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"
