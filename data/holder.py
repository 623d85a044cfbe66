"""The process that holds a directory: who it is, as it names itself in a lock file or on a store."""

import os
import socket
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import orjson


@dataclass(frozen=True)
class Holder:
    """A process that holds a directory. `since`: ISO 8601 in UTC."""

    host: str
    process: int
    since: str

    @classmethod
    def me(cls) -> "Holder":
        """Return this process, from now on."""
        return cls(socket.gethostname(), os.getpid(), datetime.now(UTC).isoformat(timespec="seconds"))

    @classmethod
    def read(cls, content: bytes) -> "Holder | None":
        """Return the process that `as_json` wrote, None if the content is none."""
        try:
            return cls(**orjson.loads(content))
        except (orjson.JSONDecodeError, TypeError):
            return None

    @property
    def as_json(self) -> bytes:
        """The process as JSON."""
        return orjson.dumps(asdict(self))

    @property
    def is_here(self) -> bool:
        """Whether the process is one of this machine."""
        return self.host == socket.gethostname()

    def __str__(self) -> str:
        place = "" if self.is_here else f" on host {self.host}"
        return f"process {self.process}{place}, since {self.since}"
