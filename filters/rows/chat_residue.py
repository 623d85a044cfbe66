"""Rejects texts with traces of a chat's machinery: control tokens, reasoning, invented turns.

An engine sets reasoning apart and cuts control tokens at the ends of a reply (`teachers/reasoning.py`); a generator
cuts invented turns after a complete answer. This filter finds what is left.
"""

import re

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.data.text.code import without_code
from skillmill.data.text.lazy_patterns import lazy_pattern
from skillmill.data.text.phrases import contains_any
from skillmill.filters.invented_turns import ABOUT_TOKENS, invented_turn
from skillmill.filters.options import RowFilter
from skillmill.filters.verdict import Verdict
from skillmill.skill_taxonomy.cells import SKILL_MIX, Cell
from skillmill.teachers.chat_tokens import CONTROL_TOKEN
from skillmill.teachers.reasoning import UNMARKED_CHANNEL, WRAPPER_TAG

SIGNS = {
    WRAPPER_TAG: ("<", "[", "◁", "&lt;"),
    UNMARKED_CHANNEL: ("analysis", "commentary", "assistant"),
}
"""For each pattern its signs. Searching for them first is faster."""
_OPENS_WITH_LABEL = lazy_pattern(r"\s*(?:thought\n|(?:analysis|commentary|assistant(?:final|analysis))(?=[A-Z\n]))")
"""The label of a reasoning channel whose tokens were dropped."""
_TOKENS = lazy_pattern(f"{CONTROL_TOKEN.pattern}|{WRAPPER_TAG.pattern}", re.IGNORECASE)


class ChatResidue(RowFilter):
    """Rejects an answer or an instruction with control tokens, tags of reasoning or invented turns. Has no options."""

    reason = Reason("chat_residue", "the text holds control tokens, reasoning or invented turns of a chat")

    def check(self, sample: Sample, cell: Cell) -> Verdict:
        """Return the verdict, without signals. Code and answers about such tokens pass."""
        instruction = sample.instruction
        in_answer = _has_residue(sample.response, instruction)
        # Only the words of an instruction say that it is about tokens: its tokens may be residue themselves.
        in_instruction = cell.kind != SKILL_MIX and _has_residue(instruction, _TOKENS.sub(" ", instruction))
        return self.verdict(in_answer or in_instruction)


def _has_residue(text: str, instruction: str) -> bool:
    if invented_turn(text, instruction) is not None or _OPENS_WITH_LABEL.match(text):
        return True
    possible = [pattern for pattern, signs in SIGNS.items() if contains_any(text, signs)]
    if not possible or ABOUT_TOKENS.search(instruction):
        return False
    prose = without_code(text)
    return any(pattern.search(prose) for pattern in possible)
