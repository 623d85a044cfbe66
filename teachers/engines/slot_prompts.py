"""Which slot of llama.cpp answers a request, so that prompts with the same beginning are computed once.

llama.cpp keeps the last prompt of each slot and reuses its beginning, and a host cache keeps the prompts before it. But
each copy serves one slot at a time, so slots that start together compute the same beginning once each. Requests of one
stage share their opening: guidance and worked examples, which are all messages before the last one. So the requests
that come while an opening is computed for the first time wait for it. Then it is saved to a file, which takes some
10 ms, and copied into their slots, which takes 1 ms each. Once each slot has a copy, the host cache keeps them.
"""

import logging
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition

from skillmill.data.records import Message

log = logging.getLogger(__name__)

MIN_OPENING_CHARS = 400
"""The length of an opening, some 100 tokens, below which waiting costs more than computing it again."""

SLIGHT_CHARS = 100
"""A difference of common beginnings, some 25 tokens, that does not decide which slot is taken."""

MAX_SAVED_BYTES = 512 * 2**20
"""The size of all files together; those that were not used for the longest time are deleted first."""

MAX_OPENINGS = 1024
"""The number of openings that are remembered."""

SlotAction = Callable[[int, str, str], int]
"""Saves ("save") or restores ("restore") a slot's prompt by a file's name, and returns its size in bytes.

Raises `OSError` if llama.cpp cannot do it.
"""


@dataclass(slots=True)
class _Opening:
    file: str
    size: int = 0
    copies: int = 0
    computing: bool = False
    waiting: int = 0


@dataclass(slots=True)
class Held:
    """The slot of a request. `reply` is what the teacher answered, as far as it is known at the end."""

    slot: int
    reply: str = ""


@dataclass
class SlotPrompts:
    """The prompts of `slots` slots; any number of threads may use it, and at most `slots` at once hold one.

    Attributes:
        slots: The number of slots.
        folder: The folder of the files, which belongs to this object.
        act: Saves and restores prompts.
    """

    slots: int
    folder: Path
    act: SlotAction
    _texts: list[str] = field(init=False)
    _free: set[int] = field(init=False)
    _openings: OrderedDict[int, _Opening] = field(default_factory=OrderedDict, init=False)
    _changed: Condition = field(default_factory=Condition, init=False)
    _copies: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        self._texts, self._free = [""] * self.slots, set(range(self.slots))

    @contextmanager
    def slot_for(self, messages: Sequence[Message]) -> Iterator[Held]:
        """Hold the slot for a request whose prompt has most in common with it, with the request's opening if known."""
        text, opening = _text(messages), _text(messages[:-1])
        with self._changed:
            known = self._of(opening)
            if known and known.computing and self._best(text)[1] < len(opening):
                known.waiting += 1
                self._changed.wait_for(lambda: not known.computing)
                known.waiting -= 1
            slot, shared = self._best(text)
            self._free.remove(slot)
            lacks = known is not None and shared < len(opening) and known.copies < self.slots
            computes = known is not None and lacks and not known.size
            if known and lacks:
                known.copies += 1
                known.computing |= computes
        held = Held(slot)
        try:
            if known and lacks and not computes:
                self._try(slot, "restore", known)
            yield held
        finally:
            if known and computes and known.waiting:
                known.size = self._try(slot, "save", known)
            with self._changed:
                self._texts[slot] = text + (_text([{"role": "assistant", "content": held.reply}]) if held.reply else "")
                self._free.add(slot)
                if known and computes:
                    known.computing = False
                    self._forget()
                self._changed.notify_all()

    def _best(self, text: str) -> tuple[int, int]:
        """Return the free slot with the longest common beginning and its length.

        Of slots that differ by less than `SLIGHT_CHARS` the first is taken: llama.cpp decodes slots with gaps between
        them one group after another, which costs twice as much.
        """
        shared = {slot: _shared(self._texts[slot], text) for slot in self._free}
        return max(shared.items(), key=lambda pair: (pair[1] // SLIGHT_CHARS, -pair[0]))

    def _of(self, opening: str) -> _Opening | None:
        """Return what is known of an opening, None if it is too short to copy."""
        if not self._copies or len(opening) < MIN_OPENING_CHARS:
            return None
        key = hash(opening)
        found = self._openings.setdefault(key, _Opening(f"{key & (2**64 - 1):016x}"))
        self._openings.move_to_end(key)
        return found

    def _try(self, slot: int, action: str, opening: _Opening) -> int:
        """Save or restore a prompt and return its size in bytes; 0 if that failed, after which nothing is copied."""
        try:
            return self.act(slot, action, opening.file)
        except OSError as error:
            log.debug("embedded model: prompts are not copied between slots: %s", error)
            self._copies = False
            return 0

    def _forget(self) -> None:
        """Forget the openings that were not used for the longest time, within both limits."""
        saved = sum(each.size for each in self._openings.values())
        for key, opening in list(self._openings.items()):
            if len(self._openings) <= MAX_OPENINGS and saved <= MAX_SAVED_BYTES:
                return
            if not (opening.computing or opening.waiting):
                del self._openings[key]
                saved -= opening.size
                (self.folder / opening.file).unlink(missing_ok=True)


def _shared(first: str, second: str) -> int:
    """Return the number of characters with which both texts begin."""
    return len(os.path.commonprefix([first, second]))  # noqa: RUF071 (these are no paths)


def _text(messages: Sequence[Message]) -> str:
    """Return a text that begins in the same way for two conversations if their prompts do."""
    return "".join(f"\0{message['role']}\0{message['content']}" for message in messages)
