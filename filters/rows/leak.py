"""Does the text show what it was made from: its skills by name, its task, skillmill's own prompts?"""

import re
import unicodedata
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.data.text.phrases import BETWEEN_WORDS, contains_any, phrase_pattern
from skillmill.data.text.repetition import ngrams
from skillmill.data.text.words import INVISIBLE, words
from skillmill.filters.config import FilterOptions, PromptFragment, SkillNamed
from skillmill.filters.rows.form import SKILL_MIX
from skillmill.filters.verdict import Verdict, verdict
from skillmill.skill_taxonomy.cells import Cell
from skillmill.skill_taxonomy.taxonomy import Skill


def skill_named(sample: Sample, cell: Cell, options: SkillNamed) -> Verdict:
    """Skill-Mix: the text names one of its skills. Instruct-SkillMix: the instruction does.

    A name counts up to its first "(", case aside, as whole words with a plural s allowed (Skill-Mix's own rule,
    papers.md 1.7, takes any substring, so that "metaphor" fires on "metaphorical"; ours does not). Names of several
    words count in any inflection too, in their order ("assessed risks" is no "risk assessment"); single words do not,
    for their inflections are ordinary words.
    """
    text = _comparable(sample.response if cell.kind == SKILL_MIX else sample.instruction)
    named = sum(_names(skill, options.aliases, text) for skill in cell.skills)
    return verdict(Reason.SKILL_NAMED, named > 0, skills_named=named)


def _names(skill: Skill, aliases: bool, text: str) -> bool:
    return any(
        pattern.search(text) for pattern in _patterns((skill.name, *skill.aliases) if aliases else (skill.name,))
    )


@lru_cache(maxsize=10_000)
def _patterns(names: tuple[str, ...]) -> list[re.Pattern[str]]:
    shown = [_comparable(name.split("(", 1)[0] or name) for name in names]
    plain = phrase_pattern(shown)
    inflected = [_inflected(parts) for name in shown if len(parts := words(name.replace("-", " "))) > 1]
    return ([plain] if plain else []) + inflected


def _comparable(text: str) -> str:
    """The text in composed letters, without invisible ones, with "and" for a lone "&"."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text.translate(INVISIBLE))
    return text.replace(" & ", " and ")


_SUFFIX = re.compile(r"(?<=\w{3})(?:ing|ed|es|s|e|y)$")
_DOUBLED = re.compile(r"(?<=\w\w)([bdglmnprt])\1$")
"""As in "planning" and "plan"."""


def _inflected(parts: Sequence[str]) -> re.Pattern[str]:
    """The words in their order, each with any of the common endings of English; short ones as they are."""
    return re.compile(
        r"(?<![^\W_])" + rf"{BETWEEN_WORDS}+".join(map(_with_endings, parts)) + r"(?![^\W_])", re.IGNORECASE
    )


def _with_endings(word: str) -> str:
    base = _SUFFIX.sub("", word)
    if len(base) < 3:
        return re.escape(word)
    ended = re.escape(base) + r"(?:e|s|es|ed|er|ers|ing|ings|y|ies|ied|ying|ly)?"
    return rf"(?:{ended}|{re.escape(base[:-1])}s?)" if base != word and _DOUBLED.search(base) else ended


_MADE_FROM = re.compile(
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
_TALK_OF_PROMPTS = re.compile(
    r"\bthe (?:prompt|instruction) (?:asks|asked|requires|required|says|said|wants|wanted|specifies)\b"
    r"|^[\W_]*query type[*_]*:|\bthe (?:task|instruction) (?:requires|asks|wants|tells) me\b"
    r"|\bthis question tests \w[\w-]*(?: \w+)? skills\b",
    re.IGNORECASE | re.MULTILINE,
)
_OPENS_ON_USER = re.compile(
    r"[\W_]*the user (?:asks|asked|wants|wanted|is asking|requests|requested|needs)\b", re.IGNORECASE
)
_SOURCES = (
    *("skill", "Skill", "SKILL", "prompt", "Prompt", "PROMPT", "task", "Task", "TASK"),
    *("ystem message", "he instruction", "uery type"),
)
"""Without any of these in a line there is nothing to look for; most texts have none."""


def meta_talk(sample: Sample, cell: Cell, options: FilterOptions) -> Verdict:
    """The instruction or the answer talks about the skills, the task or the prompt that it was made from.

    An answer to someone who asked about skills, prompts, instructions or users may speak of them.
    """
    asked, said = _lines_with_sources(sample.instruction), _lines_with_sources(sample.response)
    opens = _OPENS_ON_USER.match(sample.response) is not None
    if not (asked or said or opens):
        return Verdict()
    in_instruction = cell.kind != SKILL_MIX and _MADE_FROM.search(asked) is not None
    in_answer = opens or any(pattern.search(said) for pattern in (_MADE_FROM, _TALK_OF_PROMPTS))
    if in_answer and cell.kind != SKILL_MIX:
        about = re.search(r"\b(?:skill|prompt|task|instruction|quer(?:y|ies)\b|users?\b)", sample.instruction, re.I)
        in_answer = about is None
    return verdict(Reason.META_TALK, in_instruction or in_answer)


def _lines_with_sources(text: str) -> str:
    if not _has_source(text):
        return ""
    return "\n".join(filter(_has_source, text.split("\n")))


def _has_source(text: str) -> bool:
    return contains_any(text, _SOURCES)


# Data of a sibling folder, not its code: what no row may repeat has to be read where it is written.
_GENERATORS = Path(__file__).parents[2] / "generators"
_NOT_TEXT = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)


def prompt_fragment(sample: Sample, cell: Cell, options: PromptFragment) -> Verdict:
    """Runs of `min_words` words that stand in a prompt of skillmill, in the answer or an invented instruction.

    A Skill-Mix instruction is such a prompt itself. Worked examples are `prompt_copy`'s.
    """
    runs = _prompt_runs(options.min_words)
    texts = (sample.response,) if cell.kind == SKILL_MIX else (sample.instruction, sample.response)
    found = sum(gram in runs for text in texts for gram in ngrams(words(text), options.min_words))
    return verdict(Reason.PROMPT_FRAGMENT, found > 0, prompt_runs=found)


@cache
def _prompt_runs(n: int) -> frozenset[tuple[str, ...]]:
    """The runs of n words in the prompts; none goes across a variable."""
    templates = [path for path in sorted(_GENERATORS.rglob("*.jinja")) if not path.stem.startswith("example")]
    pieces = (piece for path in templates for piece in _NOT_TEXT.split(path.read_text(encoding="utf-8")))
    return frozenset(gram for piece in pieces for gram in ngrams(words(piece), n))
