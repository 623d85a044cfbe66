"""Rejects answers that talk about their own revision.

A model does so if it takes the critique that it was given for a part of the conversation. About 9 % of the answers
that Instruct-SkillMix released (arXiv 2408.14774) open this way.
"""

import re

from pydantic import Field

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.data.text.lazy_patterns import lazy_pattern
from skillmill.data.text.phrases import SignSearch, contains_any
from skillmill.filters.options import RowFilter
from skillmill.filters.rows.revision_talk import (
    OPENING,
    STRAY_EMPHASIS,
    TRAILING_LABEL,
    gives_text_to_edit,
    talks_of_revision,
)
from skillmill.filters.verdict import Verdict
from skillmill.skill_taxonomy.cells import SKILL_MIX, Cell

_ANSWER = r"(?:responses?|answers?|repl(?:y|ies)|drafts?|instructions?)\b(?! (?:to(?! be\b)|of|from|by)\b)"
_TEXT = r"(?:versions?|texts?|attempts?)\b(?! of\b)"
_REVISED_WORDS = (
    "refined|revised|improved|rewritten|updated|reworked|polished|enhanced|shortened|reworded|rephrased|corrected|"
    "expanded"
)
_REVISED = rf"(?:{_REVISED_WORDS})"
_FAULT = (
    r"(?:too|not (?:quite|very|really|as)|(?:a (?:bit|little)|somewhat|rather|quite|fairly|overly|more|less)) ?"
    r"(?:\w+ )?(?:vague|generic|general|wordy|verbose|long|short|brief|concise|clear|unclear|specific|concrete|"
    r"detailed|helpful|complete|natural|formal|repetitive|abstract|thorough|engaging|well[- ]\w+)"
)
RESIDUE = lazy_pattern(
    rf"\b{_REVISED} (?:and \w+ |, \w+ )?{_ANSWER}"
    rf"|\b(?:here(?:['’]s| is| are)|below is|this is|my) (?:[\w-]+ ){{0,3}}?(?:{_REVISED}|final|second|third|new|"
    rf"more \w+|better) (?:and \w+ |, \w+ )?(?:{_TEXT}|(?:response|draft)\b(?! (?:to|of|from|by)\b))"
    rf"|\bhere(?:['’]s| is) (?:another|a second|a new) (?:try|attempt|go)\b|\bafter (?:revising|rewriting|refining)\b, "
    r"|\b(?:complete|full) and concise\b"
    r"|\b(?:(?:based|acting) on|incorporating|addressing|following|considering|given|per|in (?:light of|response to)|"
    r"thank(?:s| you) for|noted in|incorporated|addressed|(?:to|i(?:['’]ve| have)?) (?:address|addressed|incorporate)) "
    r"(?:\w+ )?(?:your|the|this|that|these) (?:\w+ )?(?:feedback|critique|criticism|weaknesses)\b(?! (?:is|of|from)\b)"
    r"|\b(?:addressed|incorporat(?:ed|ing)) the (?:reader['’]s|suggested) (?:\w+)"
    r"|\b(?:taking|with) (?:into account )?(?:your|the|this|these) (?:\w+ )?(?:feedback|critique|comments|suggestions)"
    r"(?: \w+)? (?:into (?:account|consideration)|in mind)\b|\btaking into account (?:your|the) (?:feedback|critique)\b"
    rf"|\bi(?:['’]ve| have)(?: \w+)? {_REVISED} (?:it|this|(?:the|my|this) (?:\w+ )?(?:{_ANSWER}|{_TEXT}))"
    rf"|\bi(?:['’]ve| have)? (?:made|rewrote|rewrite|tried to make) (?:the|my|this) (?:{_ANSWER}|tone|wording)"
    r"|\bi(?:['’]ve| have)? made (?:the following|these|some|several) (?:changes|edits|revisions|improvements)\b"
    r"|\blength constraint\b"
    r"|\bstrengths and weaknesses of (?:the|my|this|your) (?:\w+ )?(?:response|answer|draft|text)\b"
    rf"|\b(?:the|my|this|your) (?:previous|earlier|original) (?:\w+ )?{_ANSWER}"
    rf"|\b(?:the|my|this|your) (?:previous|first|earlier|original|initial|last) (?:{_ANSWER}|{_TEXT}) "
    rf"(?:(?:was|is) {_FAULT}|did not|didn['’]t|lack\w*|miss\w*|fail\w*)"
    r"|\ba (?:more|less|better) (?:\w+ )?(?:answer|response) (?:could|would|might) "
    r"(?:be(?! to\b)|have|include|mention|give)\b"
    rf"|\b(?:the|this|my|your) (?:response|draft|answer|reply|version)(?: above)? "
    rf"(?:is|was|should be|could be) {_FAULT}"
    r"|\b(?:the|this|my|your) (?:response|draft)(?: above)? "
    r"(?:lacks|provides|does(?: not|n['’]t) \w+|shows|uses|addresses|improves|"
    r"could (?:be improved|have|include|use|benefit)|"
    r"should (?:include|mention|have|use|give|provide|offer|contain|address|focus))\b",
    re.IGNORECASE,
)
"""Talk about a revision, wherever it is in the opening."""
SIGNS = (
    *"respons answer repl draft instruction version text attempt revising rewriting refining concise feedback "
    "critique criticism weaknesses comments suggest reader tone wording made length strengths".split(),
    *(f"{again} {try_}" for again in ("another", "second", "new") for try_ in ("try", "go")),
    *(f"{revised} {text}" for revised in _REVISED_WORDS.split("|") for text in ("it", "this")),
)
"""In lower case. Every match of `RESIDUE` contains one of them; searching for them first is faster."""
_RESIDUE_SIGNS = SignSearch({"residue": SIGNS})
OPENS_REVISED = lazy_pattern(
    rf"[\W_]*(?:{_REVISED}(?: (?:and \w+ )?(?:{_ANSWER}|{_TEXT}))?|(?:final|second|third|new) "
    rf"(?:version|draft|response|attempt)|(?:response|answer|instruction) [(\[]{_REVISED}[)\]]|"
    rf"revision|changes made)[\W_]*?[:\]]"
    r"|(?:thank you|thanks) for pointing (?:that|this|it) out\b"
    r"|you(?:['’]re| are) (?:\w+ )?right[,:;.!—–-]+ "
    r"(?:i (?:left|forgot|missed|should)|my|the (?:previous|first|original))"
    r"|as (?:you )?(?:suggested|requested|asked|advised|recommended|noted), i(?:['’]ve| have) (?:now )?"
    rf"(?:{_REVISED}|added more|simplified|clarified|tightened|trimmed|"
    rf"made (?:it|this|the (?:{_ANSWER}|tone|wording|text)))",
    re.IGNORECASE,
)
"""Talk about a revision that may occur in the middle of a good answer, but not as its first words."""
REOPENING = ("ere's ", "ere’s ", "ere is ", "ERE'S ", "ERE IS ")
REOPENS_REVISED = lazy_pattern(
    rf"\n[ \t]*\n[ \t#*_>\"“]{{0,12}}here(?:['’]s| is) (?:[\w-]+ ){{0,3}}?(?:{_REVISED}|better|more \w+) "
    rf"(?:and \w+ |, \w+ )?(?:{_TEXT}|{_ANSWER})[^.!?\n]{{0,60}}:",
    re.IGNORECASE,
)
"""A paragraph that announces a revised text. Searched in the whole answer, which may have several openings."""
MARKER = lazy_pattern(
    r"^[ \t#*_>]{0,12}(?:(?P<judged>strengths?|weakness(?:es)?|critique|feedback)|(?P<label>instruction|response|notes)"
    r"|your notes|strengths and weaknesses)[ \t*_]{0,4}:",
    re.IGNORECASE | re.MULTILINE,
)
"""A label at the head of a line from a prompt for critique or refinement, of skillmill or of Instruct-SkillMix."""
OWN_NOTES = lazy_pattern(r"^[ \t#*_>]{0,12}a reader (?:liked|missed) this[a-z ]{0,20}:", re.IGNORECASE | re.MULTILINE)
"""The labels of the notes in skillmill's prompt for short refinements. No other text has them, so any line counts."""
JUDGING = lazy_pattern(
    r"\b(?:strengths?|weakness\w*|swot|pros|compar\w*|evaluat\w*|assess\w*|review\w*|analy[sz]\w*|critiqu\w*|feedback|"
    r"judg\w*|advantages?|think|opinion)\b",
    re.IGNORECASE,
)
"""An instruction that requests a judgement. Its answer may have the labels "Strengths:" and "Weaknesses:"."""


class CritiqueResidue(RowFilter):
    """Rejects an answer that opens with talk about its own revision, or that keeps the labels of a prompt."""

    reason = Reason("critique_residue", "the answer talks about its own revision")

    within_characters: int = Field(OPENING, ge=1)
    """The number of characters at the beginning of the answer that count as its opening."""

    def check(self, sample: Sample, cell: Cell) -> Verdict:
        """Return the verdict, without signals."""
        instruction, response = sample.instruction, sample.response
        opening = response[: self.within_characters]
        rejected = (
            _has_marker(opening, instruction)
            or ("reader " in response and OWN_NOTES.search(response) is not None)
            or STRAY_EMPHASIS.match(response) is not None
            or (cell.kind != SKILL_MIX and _is_cut_from_a_reply(instruction))
            or talks_of_revision(response, instruction)
            or (_opens_revised(opening, response) and not gives_text_to_edit(instruction))
        )
        return self.verdict(rejected)


def _opens_revised(opening: str, response: str) -> bool:
    return (
        OPENS_REVISED.match(opening) is not None
        or (bool(_RESIDUE_SIGNS.found(opening.lower())) and RESIDUE.search(opening) is not None)
        or (contains_any(response, REOPENING) and REOPENS_REVISED.search(response) is not None)
    )


def _is_cut_from_a_reply(instruction: str) -> bool:
    """Return whether an instruction has the rest of a label at its head or the next label at its end."""
    return STRAY_EMPHASIS.match(instruction) is not None or TRAILING_LABEL.search(instruction) is not None


def _has_marker(opening: str, instruction: str) -> bool:
    """Return whether the opening has a label of critique or refinement that the instruction does not request."""
    for marker in MARKER.finditer(opening):
        label = marker["label"]
        requested = label.lower() in instruction.lower() if label else marker["judged"] and JUDGING.search(instruction)
        if not requested:
            return True
    return False
