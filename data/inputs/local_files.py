"""Paths of local files that users give: an address on the network is refused with a message that says so."""

import re
from pathlib import Path

from skillmill.data.errors import ConfigError

_ADDRESS = re.compile(r"(?:^|/)([a-z][a-z0-9+.-]+):/+(?=[^/])", re.IGNORECASE)


def joined(folder: Path, path: str) -> str:
    """Return a path of a configuration, relative to `folder`, the folder of the file; "~" is the home directory."""
    return str(folder / Path(path).expanduser())


def require_local(path: str | Path) -> None:
    """Raise `ConfigError` if a path is the address of a file, such as `https://…` or `s3://…`.

    `Path` keeps one of the two slashes of an address, and a configuration puts its own folder in front.
    """
    if address := _ADDRESS.search(str(path)):
        whole = f"{address[1]}://{str(path)[address.end() :]}"
        raise ConfigError(f"{whole}: expected a local file, found an address; download the file and give its path")
