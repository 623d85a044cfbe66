"""When a server refuses everything: the run then ends with the server's words instead of using up its cells."""

import re
from dataclasses import dataclass

from skillmill.data.errors import TeacherError

FIRST_REQUESTS = 8
"""The run stops if the server has answered nothing and has refused all of this many first requests."""
SAME_REFUSALS = 50
"""The run stops after this many refusals with the same words and no reply in between."""

_CHANGING = re.compile(r"\w*\d\w*")
"""Numbers and request ids, which differ between two refusals for the same cause."""


class TeacherRefuses(TeacherError):
    """The server refuses every request, for a cause that the requests have in common; `detail`: its words."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail

    @classmethod
    def by(cls, name: str, why: str, detail: str) -> "TeacherRefuses":
        """Return the error for a teacher, given what `Refusals.note_refusal` returned and the server's words."""
        what = f"teacher: {name} refuses every request ({why}): {detail}"
        return cls(f"{what}; what was finished is kept, run again once this is mended", detail)


@dataclass
class Refusals:
    """Counts refusals; requests are numbered in the order in which they were sent."""

    replied: bool = False
    first_refused: int = 0
    in_a_row: int = 0
    words: str = ""

    def note_reply(self) -> None:
        """Take in a reply."""
        self.replied, self.in_a_row = True, 0

    def note_refusal(self, request: int, detail: str) -> str:
        """Take in the refusal of a request; return why every request is refused, "" if that is not certain.

        The first requests count by their number, so that quick refusals cannot overtake a reply that takes long.
        """
        words = _CHANGING.sub("", detail)
        self.in_a_row = self.in_a_row + 1 if words == self.words and self.in_a_row else 1
        self.words = words
        self.first_refused += request < FIRST_REQUESTS
        if self.in_a_row >= SAME_REFUSALS:
            return f"{self.in_a_row} times in a row"
        if not self.replied and self.first_refused >= FIRST_REQUESTS:
            return "it has answered nothing yet"
        return ""
