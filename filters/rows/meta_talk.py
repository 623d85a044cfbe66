"""Rejects texts that talk about the task that they were made from."""

import re

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.data.text.lazy_patterns import lazy_pattern
from skillmill.data.text.phrases import SignSearch, contains_any
from skillmill.filters.options import RowFilter
from skillmill.filters.verdict import Verdict
from skillmill.skill_taxonomy.cells import SKILL_MIX, Cell

_MADE_FROM = lazy_pattern(
    r"\b(?:given|required|requested|specified|assigned|above|listed|target) skills? (?:in|into) "
    r"(?:the|this|my|your|an?) (?:answer|response|text|question|instruction|reply)\b"
    r"|\b(?:demonstrat|showcas|exhibit|exercis|illustrat|combin|incorporat)\w* (?:both |all |each )?(?:of )?"
    r"(?:the |these )?(?:given|required|requested|specified|assigned|listed|target) skills?\b"
    r"|\b(?:this|the|my) (?:text|response|answer|instruction|question|reply|sentence) "
    r"(?:uses|combines|demonstrates|shows|exercises|requires|illustrates|showcases|incorporates|tests) "
    r"(?:the |both |all |these )?(?:of the )?(?:\w+ )?skills?\b"
    r"|\b(?:a|an|the|this) (?:response|answer|instruction|question|text) that "
    r"(?:combines|uses|demonstrates|shows|requires|exercises|tests) (?:the |both |all |these )(?:\w+ )?skills\b"
    r"|\bskills? (?:used|shown|demonstrated|exercised|required|tested|combined)"
    r"(?: here| in this (?:answer|response|text))?(?: (?:is|are))?[ \t*_]*:"
    r"|\bthe skills used (?:here|in this (?:answer|response|text))\b"
    r"|\bi(?:['’]ve| have)? (?:used|shown|demonstrated|combined|applied) the skills? of\b|[(\[]skills?: "
    r"|\bas (?:requested|asked|instructed|specified|required|stated|described) (?:in|by) (?:the|this|your) "
    r"(?:prompt|task|system message)\b|\b(?:instructions? in|per) the system (?:prompt|message)\b"
    r"|\bskill[- ]?mix\b",
    re.IGNORECASE,
)
"""Mentions of the required skills, the prompt or the system message."""
_TALK_OF_PROMPTS = lazy_pattern(
    r"\bthe (?:prompt|instruction) (?:asks|asked|requires|required|says|said|wants|wanted|specifies)\b"
    r"|^(?:[^\w\n]|_)*query type[*_]*:|\bthe (?:task|instruction) (?:requires|asks|wants|tells) me\b"
    r"|\bthis question tests \w[\w-]*(?: \w+)? skills\b",
    re.IGNORECASE | re.MULTILINE,
)
"""Mentions of the prompt that an instruction may have, but not an answer."""
_OPENS_ON_USER = lazy_pattern(
    r"[\W_]*the user (?:asks|asked|wants|wanted|is asking|requests|requested|needs)\b", re.IGNORECASE
)
_SOURCES = (
    *("skill", "Skill", "SKILL", "prompt", "Prompt", "PROMPT", "task", "Task", "TASK"),
    *("ystem message", "he instruction", "uery type"),
)
"""Every line with a match of the first two patterns contains one of them; searching for them first is faster."""
_SOURCE_SEARCH = SignSearch({"source": _SOURCES})
_ABOUT_TASKS = lazy_pattern(r"\b(?:skill|prompt|task|instruction|quer(?:y|ies)\b|users?\b)", re.IGNORECASE)
"""An instruction about skills, prompts or users. Its answer may mention them."""


class MetaTalk(RowFilter):
    """Rejects an instruction or answer that talks about the skills, the task or the prompt that it was made from."""

    reason = Reason("meta_talk", "the text talks about the skills or the task that it was made from")

    def check(self, sample: Sample, cell: Cell) -> Verdict:
        """Return the verdict, without signals."""
        instruction, answer = _lines_with_sources(sample.instruction), _lines_with_sources(sample.response)
        opens_on_user = _OPENS_ON_USER.match(sample.response) is not None
        if not (instruction or answer or opens_on_user):
            return Verdict()
        in_instruction = cell.kind != SKILL_MIX and _MADE_FROM.search(instruction) is not None
        in_answer = opens_on_user or any(pattern.search(answer) for pattern in (_MADE_FROM, _TALK_OF_PROMPTS))
        if in_answer and cell.kind != SKILL_MIX:
            in_answer = _ABOUT_TASKS.search(sample.instruction) is None
        return self.verdict(in_instruction or in_answer)


def _lines_with_sources(text: str) -> str:
    if not _SOURCE_SEARCH.found(text):
        return ""
    return "\n".join(filter(_has_source, text.split("\n")))


def _has_source(text: str) -> bool:
    return contains_any(text, _SOURCES)
