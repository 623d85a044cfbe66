"""Rejects answers that judge an answer, or that have a form which the instruction does not request.

A small model falls into this if it follows the request for the critique, which is a turn before the refinement of
Instruct-SkillMix. Talk about a revision around a real answer is found by `critique_residue`, words of the prompts by
`prompt_fragment`.
"""

import re

from pydantic import Field

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.data.text.lazy_patterns import lazy_pattern
from skillmill.data.text.phrases import SignSearch, contains_any
from skillmill.data.text.repetition import ngrams
from skillmill.data.text.words import words
from skillmill.filters.options import RowFilter
from skillmill.filters.verdict import Verdict
from skillmill.skill_taxonomy.cells import Cell

CRITIQUE_NGRAM = 5
"""The length, in words, of the n-grams that count as words of the critique."""

_ANSWER = (
    r"(?:the|this|that|your|my|its|their|our)(?: (?:above|given|provided|current|original|initial|first|previous|final|"
    r"refined|revised|improved|assistant['’]?s?|ai['’]?s?|model['’]?s?|detailed|whole|overall)){0,3} "
    r"(?:answer|response|reply|draft|explanation)(?: (?:above|given|provided|itself|here))?(?! (?:to|of|from|by|for)\b)"
)
_HOW = r"(?:\w+ly |also |does |well |generally |both |still |further |really ){0,3}"
_GOOD = (
    r"(?:clear|concise|comprehensive|detailed|thorough|helpful|useful|practical|informative|well[- ]\w+|good|great|"
    r"excellent|solid|strong|balanced|accurate|relevant|specific|concrete|actionable|valuable|engaging|complete|"
    r"structured|organi[sz]ed|insightful|generic|vague|general|brief|short|long|wordy|verbose|unclear|incomplete|"
    r"repetitive|correct|effective|friendly|empathetic|thoughtful|coherent|logical|easy to|step-by-step|broad|nice|"
    r"lacking|missing)"
)
_PRAISED = (
    r"(?:addresse[sd]|combine[sd]|capture[sd]|convey(?:s|ed)|meets?|met|balance[sd]|explain(?:s|ed)|cover(?:s|ed)|"
    r"answer(?:s|ed)|demonstrate[sd]?|integrate[sd]?|incorporate[sd]?|communicate[sd]?|outline[sd]?|highlight(?:s|ed)|"
    r"emphasi[sz]e[sd]?|illustrate[sd]?|tackle[sd]?|describe[sd]?|present(?:s|ed)?|guide[sd]?|summari[sz]e[sd]?|"
    r"provide[sd]?|offer(?:s|ed)?|give[sn]?|use[sd]?|make[s]? (?:good|great|effective) use)"
)
_ADVERB = (
    r"(?:effectively|successfully|clearly|adequately|thoroughly|accurately|nicely|concisely|correctly|directly|"
    r"comprehensively|skillfully|skilfully|partially|only partly|also)"
)
JUDGES = lazy_pattern(
    rf"\b{_ANSWER} (?:{_HOW}(?:provides?|provided|offers?|offered|gives?|gave|presents?|contains?|includes?|is|was|are|"
    rf"were|has|had|feels?|seems?|appears?)(?: (?:an?|the|some|very|quite|rather|really|somewhat|too|not|both|overall|"
    rf"mostly|fairly|more|enough|several|many|all|also|to be|\w+ly))* {_GOOD}\b(?! (?:that|than|if|when|who)\b)"
    rf"|{_ADVERB} {_PRAISED}\b"
    rf"|(?:could|would|should|might) (?:\w+ly )?(?:benefit from|be (?:improved|better|more|enhanced|strengthened)|"
    rf"use more|have been|include more|provide more|offer more|be clearer)\b"
    rf"|(?:does|did) (?:an? )?(?:\w+ )?(?:good|great|excellent|decent|nice|solid) job\b"
    rf"|(?:does(?: not|n['’]t)|fails? to|failed to|neglects? to) (?:\w+ly )?(?:address|provide|mention|explain|cover|"
    rf"include|offer|give|answer|specify|go into|discuss)\b"
    rf"|(?:lacks?|lacked|misses|missed) (?:an? |any |some |more |the )?(?:\w+ ){{0,2}}(?:details?|examples?|depth|"
    rf"specifics?|clarity|structure|context|information|point)\b"
    rf"|{_HOW}(?:meets|met|fulfil\w*|satisf\w+) (?:all |both )?(?:the|your|my) "
    rf"(?:requirements?|request|question|needs|criteria)\b"
    rf"|(?:helps?|helped) me\b|deserves?\b)",
    re.IGNORECASE,
)
"""A sentence whose subject is an answer and which says how good it is."""
_SUBJECTS = ("nswer", "esponse", "eply", "raft", "xplanation", "NSWER", "ESPONSE")
"""Every match of `JUDGES` contains one of them; searching for them first is faster."""
ASKER = lazy_pattern(
    r"[\W_]*(?:(?:thank you|thanks)(?: \w+){0,2} for (?:the|this|your|that|such an?) (?:\w+,? ){0,3}"
    r"(?:answer|response|reply|explanation|information|advice|suggestions|tips|insights|breakdown|help)\b(?! request)"
    rf"|(?:great|good|nice|excellent|helpful|solid|decent|strong|clear) (?:answer|response|reply|draft)\b[!.,:]"
    rf"|(?:overall,? |in general,? )?i (?:really |also )?(?:find|found|like|liked|love|loved|appreciate|appreciated|"
    rf"think|thought|feel|enjoyed) (?:that )?(?:how )?{_ANSWER}"
    r"|what (?:helps|helped|i liked?|works(?: well)?|is missing|i miss(?:ed)?)(?: me)?(?: (?:in|about) \w+ \w+)?"
    r"(?: (?:is|was)\b|[*_ ]*:)"
    rf"|(?:the|a) (?:main |key |biggest |greatest )?(?:strengths?|weakness(?:es)?) (?:of|in) {_ANSWER}"
    r"|(?:overall )?(?:rating|score|grade|verdict|evaluation|assessment|critique|review)[*_ ]*:"
    r"|(?:\d(?:\.\d)?|10) ?(?:/|out of) ?(?:5|10)\b)",
    re.IGNORECASE,
)
"""An opening in the role of somebody who got the answer."""
_LABEL = r"^[ \t#*_>\-\d.]{{0,12}}(?:the |main |key )*{}\b[ \t*_]{{0,4}}(?::|$|[ \t]*\n)"
STRENGTHS = lazy_pattern(_LABEL.format(r"(?:strengths?|what (?:helps|works)(?: well)?)"), re.IGNORECASE | re.MULTILINE)
WEAKNESSES = lazy_pattern(
    _LABEL.format(
        r"(?:weakness(?:es)?|areas? (?:for|of) improvement|what is missing|what(?:'s| is) (?:vague|wrong)|"
        r"suggest(?:ed|ions?)(?: for)? improvements?|improvements?(?: needed)?)"
    ),
    re.IGNORECASE | re.MULTILINE,
)
"""Labels of a judgement in prose; one of each makes a judgement."""
CRITIQUE_KEYS = lazy_pattern(
    r"[{,]\s*[\"'“]?(?:strengths?|weakness(?:es)?|good_enough|feedback|critique|suggestions|improvements)[\"'”]\s*:"
    r"|[{,]\s*(?:strengths?|weakness(?:es)?|good_enough)\s*:",
    re.IGNORECASE,
)
"""A key of a judgement in JSON."""
_SIDES = (
    "trength",
    "eakness",
    "hat helps",
    "hat works",
    "STRENGTH",
    "WEAKNESS",
    "good_enough",
    '":',
    '" :',
    "”:",
    "':",
)
"""Every text with the labels or keys of a judgement contains one of them."""
_SIGNS = SignSearch({"subject": _SUBJECTS, "side": _SIDES})
DATA_FORM = lazy_pattern(
    r"(?:[^\n{\[`]{0,120}:\s*)?(?:```[ \t]*(?:json5?|jsonl?|yaml|xml)?[ \t]*\n\s*)?"
    r"(?:\{\s*(?:[\"'“][^\"'”\n]{1,80}[\"'”]\s*:|\})|\[\s*(?:\{\s*[\"'“]|[\"“]))"
    r"|\s*```[ \t]*(?:json5?|jsonl?|yaml|xml)\b|\s*<\?xml\b|\s*<(?:answer|response|reply|instruction|output|critique)>",
    re.IGNORECASE,
)
"""An answer that begins as data: a JSON object or array, YAML or XML in a fence, or a tag around the whole answer."""

DATA = lazy_pattern(
    r"\b(?:json\w*|ya?ml|xml|html|csv|toml|dicts?|dictionar(?:y|ies)|arrays?|schemas?|structured|format(?:s|ted)?|apis?|"
    r"payloads?|endpoints?|code|coding|python|javascript|typescript|scripts?|functions?|config\w*|key-value|databases?|"
    r"mongodb|sql|graphql|markup|serializ\w*|pars(?:e|es|ing|er)|data structures?|programming)\b|[{}\[\]]",
    re.IGNORECASE,
)
"""An instruction that may request data or code."""
_TEXT_NOUN = (
    r"(?:answers?|responses?|repl(?:y|ies)|drafts?|essays?|texts?|letters?|e-?mails?|paragraphs?|writing|poems?|stor(?:y|"
    r"ies)|articles?|papers?|reports?|summar(?:y|ies)|speech(?:es)?|reviews?|proposals?|plans?|applications?|resumes?|"
    r"résumés?|cvs?|presentations?|arguments?|translations?|explanations?|statements?|posts?|messages?|scripts?|code|"
    r"thesis|work|sentences?|passages?|dialogues?|lyrics|debates?|chatbots?|assistants?|models?)"
)
JUDGEMENT = lazy_pattern(
    r"\b(?:review|reviewing|feedback|critiqu\w*|criticis\w*|criticiz\w*|judg\w*|grad(?:e|ing)|rate|rating|scor(?:e|ing)|"
    r"proofread\w*|evaluat\w*|assess\w*|rubric)\b",
    re.IGNORECASE,
)
"""An instruction that requests a judgement, if it also names a text."""
TEXT_NOUN = lazy_pattern(rf"\b{_TEXT_NOUN}\b", re.IGNORECASE)
TWO_SIDES = lazy_pattern(
    r"\b(?:strengths?|weakness\w*|swot|pros|cons|compar\w*|evaluat\w*|assess\w*|review\w*|analy[sz]\w*|critiqu\w*|"
    r"feedback|judg\w*|advantages?|disadvantages?|better|best|versus|vs|improv\w*|choos\w*|decid\w*|options?|profile)\b",
    re.IGNORECASE,
)
"""An instruction that may request good and bad sides of a thing. Its answer may have the labels of a judgement."""


class Judgement(RowFilter):
    """Rejects an answer that judges an answer, is data that nothing requests, or consists of its critique's words."""

    reason = Reason("judgement", "the answer judges an answer, or has a form that the instruction does not ask for")

    max_from_critique: float = Field(0.3, ge=0, le=1)
    """The largest share of the answer's words that may come from its critique and not from its draft."""

    def check(self, sample: Sample, cell: Cell) -> Verdict:
        """Return the verdict, without signals."""
        from_critique = critique_share(sample) > self.max_from_critique
        return self.verdict(from_critique or judges(sample.response, sample.instruction))


def judges(answer: str, instruction: str) -> bool:
    """Return whether an answer judges an answer or begins as data, and its instruction requests no such thing."""
    if DATA_FORM.match(answer) and not DATA.search(instruction):
        return True
    signs = _SIGNS.found(answer)
    if (("subject" in signs and _judges_in_prose(answer)) or ASKER.match(answer)) and not (
        JUDGEMENT.search(instruction) and TEXT_NOUN.search(instruction)
    ):
        return True
    return "side" in signs and _has_both_sides(answer) and not TWO_SIDES.search(instruction)


def _judges_in_prose(answer: str) -> bool:
    return any(JUDGES.search(line) for line in answer.split("\n") if contains_any(line, _SUBJECTS))


def _has_both_sides(answer: str) -> bool:
    """Return whether the answer has the labels of good and bad sides, or a key of a critique in JSON."""
    return bool((STRENGTHS.search(answer) and WEAKNESSES.search(answer)) or CRITIQUE_KEYS.search(answer))


def critique_share(sample: Sample) -> float:
    """Return the share of the answer's words, 0..1, in n-grams of its critique that are not in its draft.

    It is 0 if the draft is the answer, because the draft is older than its critique.
    """
    answer = words(sample.response)
    if not sample.critique or sample.kept or not answer:
        return 0.0
    n = CRITIQUE_NGRAM
    known = set(ngrams(words(sample.critique), n)) - set(ngrams(words(sample.draft or ""), n))
    known -= set(ngrams(words(sample.instruction), n))
    covered = {place + i for place, ngram in enumerate(ngrams(answer, n)) if ngram in known for i in range(n)}
    return len(covered) / len(answer)
