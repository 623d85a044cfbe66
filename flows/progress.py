"""How far a run is: one live line on a terminal, a plain line now and then elsewhere."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

PLAIN_EVERY_S = 10.0


class Progress:
    """`with Progress("generate") as progress: progress.line("12 cells")`."""

    def __init__(self, step: str) -> None:
        self._step = step
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, transient=True) if self._console.is_terminal else None
        self._said = time.monotonic()

    def line(self, text: str) -> None:
        if self._live is not None:
            self._live.update(Text(f"{self._step}: {text}"))
        elif time.monotonic() - self._said >= PLAIN_EVERY_S:
            self._said = time.monotonic()
            say(f"{self._step}: {text}")

    def __enter__(self) -> "Progress":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()


def say(text: str) -> None:
    """One line on standard error: standard output is for what was asked for."""
    print(text, file=sys.stderr, flush=True)
