"""Rejects instructions that request nothing."""

import re

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.data.text.lazy_patterns import lazy_pattern
from skillmill.filters.options import RowFilter
from skillmill.filters.verdict import Verdict
from skillmill.skill_taxonomy.cells import Cell

IMPERATIVES = (
    "act add adapt analyse analyze answer arrange ask assess assume brainstorm break build calculate change "
    "check choose classify come compare complete compose compute consider construct continue convert correct "
    "count create critique debate decide define delete demonstrate derive describe design detect determine "
    "develop devise discuss divide do draft draw edit elaborate evaluate examine expand explain explore "
    "extract figure fill find finish fix format formulate generate get give go group guess guide help "
    "highlight identify imagine implement improve include infer interpret introduce invent keep list look make "
    "map match mention modify name offer order organise organize outline paraphrase perform pick plan play "
    "predict prepare present pretend propose prove provide put rank rate read recommend remove rephrase "
    "replace reply report research respond rewrite reverse review revise roleplay say schedule search select "
    "share shorten show simplify simulate sketch solve sort specify split state study suggest summarise "
    "summarize sum take talk teach tell test think transform translate try turn use verify visualise visualize "
    "walk weigh work write "
).split()
"""The verbs that open a request."""

REQUEST = lazy_pattern(
    r"[?？]|\bplease\b|\b(?:help|tell|show|give|teach|advise|remind|send) (?:me|us)\b"
    r"|\b(?:i|we)(?:['’]d| would)? (?:want|need|like|love|wish|seek|request)\b"
    r"|\b(?:i|we)(?:['’]m| am|['’]re| are) (?:looking for|trying|asking|wondering|curious|interested|working)\b"
    r"|\b(?:can|could|would|will|should) (?:you|i|we)\b"
    r"|\b(?:let['’]?s|your (?:task|job|goal)|task:|answer (?:the|this)|the following)\b"
    r"|\b(?:you|it) (?:will |then )?(?:need|should|must|have to|are given|are provided)\b"
    r"|\b(?:should|must|needs? to|has to) be\b|\b(?:appreciate|helpful|grateful)\b"
    r"|(?:^|[.!:;\n]\s{0,3}|,\s{0,3}|\b(?:and|then|now|also|if so|so) )[\"'“(*-]{0,3}"
    rf"(?:(?:briefly|carefully|now|first|next|then|just) )?(?:{'|'.join(IMPERATIVES)})\b"
    r"|^(?:how|what|why|when|where|who|whom|whose|which|is|are|do|does|did|can|could|should|would|will)\b",
    re.IGNORECASE,
)
"""A request: a question mark, "please", a wish, or a clause that opens with an imperative."""

STATEMENT = lazy_pattern(
    r"^[\"'“(*]*(?:i|we|my|our|he|she|they|you|your|his|her|their|it|there|this|that|these|those|the|an?|one|some|"
    r"every|in|on|at|once)\b",
    re.IGNORECASE,
)
"""The first word of an English statement. Keywords, as in a search, and other languages do not match."""


class NoRequest(RowFilter):
    """Rejects an instruction that opens as a statement and has no request in it."""

    reason = Reason("no_request", "the instruction neither asks nor tells the assistant to do anything")
    english_only = True

    def check(self, sample: Sample, cell: Cell) -> Verdict:
        """Return the verdict, without signals."""
        instruction = sample.instruction.strip()
        return self.verdict(STATEMENT.match(instruction) is not None and REQUEST.search(instruction) is None)
