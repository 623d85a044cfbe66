"""Features of an instruction: what kind of answer it requests (a list of five, a letter, one word, code, a rewrite).

The cues are word lists and patterns, searched in the first and last characters of the instruction. They are English:
an instruction in another language has no cues, and only its length counts.
"""

import math
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from skillmill.data.text.phrases import contains_any
from skillmill.data.text.tokens import TOKEN, tokens
from skillmill.filters.shirker.features.rarity import prefix, rarity
from skillmill.filters.shirker.features.requested_form import RequestedForm, requested_form
from skillmill.filters.shirker.features.word_vectors import KnownWords, word_vectors

READ_CHARACTERS = 8_000
HEAD_CHARACTERS, TAIL_CHARACTERS = 400, 150
"""A long instruction has its request at the beginning or the end, and the text to work on in between."""

FUNCTION_WORDS = frozenset(
    """a about above after again against all also although always am an and any are aren't as at away be because been
    before being below between both but by can can't cannot come could couldn't did didn't do does doesn't doing don't
    done down each either else even ever every few find first for from further get give given go goes going good got
    great had has hasn't have haven't having he her here hers him himself his how however i i'd i'll i'm i've if in
    into is isn't it it's its itself just keep know last let let's like made make makes making many may me might mine
    more most much must my myself need needs neither never new next no none nor not now of off often ok on once one
    only onto or other others our ours out over own per please put rather re really s said same say says see seem
    seems several shall she should shouldn't since so some something soon still such sure t take than thank thanks
    that that's the their theirs them themselves then there there's therefore these they they're thing things think
    this those though through thus to together too took toward two under until up upon us use used using ve very via
    want wants was wasn't way ways we we're we've well went were weren't what what's when where whether which while
    who whole whom whose why will with within without won't would wouldn't yes yet you you'd you'll you're you've
    your yours yourself write provide explain describe tell list create answer question following help try example
    examples based generate suggest show""".split()
)
"""Words of grammar and of requests, which say nothing about the subject."""

NUMBERS = {word: n for n, word in enumerate("zero one two three four five six seven eight nine ten".split())}
NUMBERS |= {"twelve": 12, "fifteen": 15, "twenty": 20}
REQUESTED_ITEMS = re.compile(
    r"\b(\d{1,2}|two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|twenty)\s+"
    r"(?:[a-z'-]+\s+){0,3}?(?:[a-z]+s|people|children|men|women|criteria)\b"
)
MAX_REQUESTED_ITEMS = 50

CUE_WORDS: dict[str, str] = {
    "code": "code python javascript java sql html css regex function script program programming algorithm bash api "
    "json react docker latex",
    "many": "list examples ideas suggestion suggestions options tips ways reasons alternatives steps some several best "
    "things books movies questions names",
    "transform": "rewrite rephrase paraphrase translate correct proofread edit convert capitalise capitalize transform "
    "change replace fix shorten simplify reword fill unscramble reverse remove",
    "extract": "extract find identify parse detect",
    "decide": "decide determine judge assess sentiment label offensive positive negative neutral predict rate",
    "summary": "summarise summarize summary tldr gist",
    "small": "word words sentence acronym title slogan motto tagline tweet bio caption compliment riddle emoji emojis "
    "synonym synonyms antonym antonyms pronunciation name joke haiku limerick headline hashtag hashtags phrase genre "
    "genres command formula rhyme rhymes",
    "closed": "",
    "fact": "",
    "why": "why explain",
    "how": "guide tutorial recipe instructions",
    "count": "calculate solve equation percent percentage compute prove average probability sum",
    "letter": "essay article blog report story speech chapter screenplay dialogue proposal review letter email post "
    "plan itinerary lesson curriculum paper monologue novel",
    "verse": "poem song lyrics rap verse sonnet ballad",
    "detail": "detailed comprehensive long thorough thoroughly compare contrast difference advantages analyse analyze "
    "discuss describe elaborate overview paragraphs complete",
    "brief": "brief briefly short concise concisely single quick max maximum only just",
    "chat": "",
    "role": "pretend imagine role",
    "table": "table csv markdown column columns spreadsheet chart",
    "own": "i'm i've my",
}
"""For each cue the words that give it."""
CUES_OF_WORD = {
    word: [name for name, these in CUE_WORDS.items() if word in these.split()]
    for words in CUE_WORDS.values()
    for word in words.split()
}
CUE_PHRASES: dict[str, tuple[tuple[str, ...], re.Pattern[str]]] = {
    name: (tuple(signs.split("|")), re.compile(pattern, re.MULTILINE))
    for name, signs, pattern in (
        ("many", "recommend|top ", r"\b(?:recommend|top \d)"),
        ("transform", "re-|clean up", r"\b(?:re-(?:write|phrase)|clean up)\b"),
        ("extract", "pick out|match", r"\b(?:pick out\b|match)"),
        (
            "decide",
            "classif|categori| or |which of|belong",
            r"\b(?:classif\w|categori\w|(?:true or false|yes or no|which of|belongs? to)\b)",
        ),
        ("summary", "tl;|point", r"\b(?:tl;dr|(?:main|key) points?)\b"),
        ("small", "one-liner", r"\bone-liner\b"),
        (
            "closed",
            "is|are|was|were|do|did|can|could|has|have|will|should|am",
            r"^(?:is|are|was|were|do|does|did|can|could|has|have|will|should|am)\b",
        ),
        (
            "fact",
            "what|who|when|where|which|capital of",
            r"^(?:what(?:'s| is| was| are| were)|who|when|where|which|whose)\b|\b(?:who|when) (?:is|was|did)\b"
            r"|\b(?:what is the name|what year|capital of)\b",
        ),
        ("why", "how come|what causes", r"\b(?:how come|what causes)\b"),
        ("how", "how |teach me", r"\b(?:how (?:do|can|to|would|should|could)|teach me)\b"),
        (
            "count",
            "how |0|1|2|3|4|5|6|7|8|9",
            r"\bhow (?:many|much|long|far|old|tall|big)\b|\d\s*[-+*/^=]\s*\d",
        ),
        ("letter", "e-mail", r"\be-mail\b"),
        ("detail", "detail|step|pros and", r"\b(?:in[- ]detail|step[- ]by[- ]step|pros and cons)\b"),
        (
            "brief",
            "one|in |at most|no more|less|fewer|under ",
            r"\b(?:one[- ](?:word|sentence|line|paragraph)|in (?:a|one|two|three|\d+) (?:word|sentence|line)s?|at most|"
            r"no more than|(?:less|fewer) than|under \d+)\b",
        ),
        (
            "chat",
            "hi|he|thank|good |how |what|who ",
            r"^(?:hi|hello|hey|thanks?|good (?:morning|evening)|how are you|what(?:'s| is) up|who are you)\b",
        ),
        ("role", "act as|play the|you are", r"\b(?:act as|play the|you are)\b"),
        ("own", "i ", r"\bi (?:am|have|want|need|like|would)\b"),
    )
}
"""Further cues: for each, the signs of its pattern and the pattern. A text without any of the signs has no match."""


LABEL_KINDS = frozenset(("choose", "yes or no", "number", "fact", "fill in", "word", "extract", "order"))
TEXT_KINDS = frozenset(("child", "short text", "made up", "limit", "list"))
INSTRUCTION_FEATURES = (
    *(f"asks_{name}" for name in CUE_WORDS),
    "asked_words",
    "asked_first_line",
    "asked_given_words",
    "asked_given",
    "asked_question",
    "asked_ends_in_question",
    "asked_items",
    "asked_word_length",
    "asked_quotes",
    "asked_subject_words",
    "asked_given_transform",
    "asked_given_transform_words",
    "asked_given_small",
    "asked_short_question",
    "asked_short_fact",
    "asked_closed",
    "asked_label",
    "asked_small_text",
    "asked_most",
)
"""The names of `InstructionFeatures.values`, in order. "given" is the text after the first line."""


class InstructionFeatures(NamedTuple):
    """The features of one instruction, and its words for the comparison with an answer.

    Attributes:
        values: the numbers named by `INSTRUCTION_FEATURES`.
        subject: the prefixes of the words that carry the subject, each with its `rarity`.
        tokens: all words of the instruction.
        four_grams: the distinct 4-grams of `tokens`.
        requested_items: the number of items that the instruction requests; 0 if it names no number.
        wants_code: whether it requests code.
        wants_brief: whether it requests a short answer.
        subject_vectors: the word vectors of the words that carry the subject.
        text: the text of the instruction.
        form: the form of the answer that the instruction requests.
    """

    values: tuple[float, ...]
    subject: dict[str, float]
    tokens: list[str]
    four_grams: frozenset[tuple[str, ...]]
    requested_items: int
    wants_code: bool
    wants_brief: bool
    subject_vectors: KnownWords
    text: str
    form: RequestedForm


@lru_cache(maxsize=4096)
def instruction_features(instruction: str) -> InstructionFeatures:
    """Return the features of an instruction. They are cached, because files repeat instructions."""
    text = instruction[:READ_CHARACTERS].strip().replace("\\n", "\n")  # some files hold line ends as two characters
    low = text.lower().replace("’", "'")
    words = tokens(text)
    first_line, _, given = low.partition("\n")
    ends = low if len(low) < 500 else f"{low[:HEAD_CHARACTERS]}\n{low[-TAIL_CHARACTERS:]}"
    cues = _cues(ends, words if ends is low else tokens(ends))
    subject_words = (w for w in words if w not in FUNCTION_WORDS and (len(w) > 2 or w.isdigit()))
    subject = {p: rarity(p) for p in map(prefix, subject_words)}
    has_given = float(bool(given.strip()))
    log_given = math.log1p(len(TOKEN.findall(given)))
    ends_in_question = float(low.endswith(("?", "？")))
    short_question = ends_in_question * (len(words) < 12)
    transform = max(cues["transform"], cues["extract"], cues["decide"]) * has_given
    requested_items = _requested_items(ends)
    form = requested_form(low, ends, given, len(words))
    values = (
        *cues.values(),
        math.log1p(len(words)),
        math.log1p(len(TOKEN.findall(first_line))),
        log_given,
        has_given,
        float("?" in low),
        ends_in_question,
        math.log1p(requested_items),
        sum(map(len, words)) / max(len(words), 1),
        float('"' in low or "“" in low),
        math.log1p(len(subject)),
        transform,
        transform * log_given,
        cues["small"] * has_given,
        short_question,
        short_question * cues["fact"],
        float(form.most > 0),
        float(form.kind in LABEL_KINDS),
        float(form.kind in TEXT_KINDS),
        math.log1p(form.most),
    )
    return InstructionFeatures(
        values=values,
        subject=subject,
        tokens=words,
        four_grams=frozenset(zip(words, words[1:], words[2:], words[3:], strict=False)),
        requested_items=requested_items,
        wants_code=bool(cues["code"]),
        wants_brief=bool(cues["brief"]),
        subject_vectors=word_vectors().of(set(words) - FUNCTION_WORDS),
        text=text,
        form=form,
    )


def _cues(text: str, words: Iterable[str]) -> dict[str, float]:
    """Return for each cue of `CUE_WORDS` 1 if the text gives it, otherwise 0."""
    cues = dict.fromkeys(CUE_WORDS, 0.0)
    for word in words:
        for name in CUES_OF_WORD.get(word, ()):
            cues[name] = 1.0
    for name, (signs, pattern) in CUE_PHRASES.items():
        if not cues[name] and contains_any(text, signs) and pattern.search(text):
            cues[name] = 1.0
    return cues


def _requested_items(text: str) -> int:
    """Return the number of items that the text requests, 2 to `MAX_REQUESTED_ITEMS`; 0 if it names none."""
    match = REQUESTED_ITEMS.search(text)
    if not match:
        return 0
    number = NUMBERS.get(match[1]) or int(match[1])
    return number if 2 <= number <= MAX_REQUESTED_ITEMS else 0
