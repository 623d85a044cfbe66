"""What is counted in the text of an answer as it stands: sentences, lines, items, marks, and turns of phrase."""

import math
import re
from operator import mul

from skillmill.data.text.phrases import contains_any
from skillmill.filters.rows.cut_off import stops_in_the_middle
from skillmill.filters.rows.refusal import REFUSAL

BREAK = re.compile(r"[.!?\n。！？](?:(?<=[.!?])[.!?]*[\"')\]*_]*\s+|(?<=\n)\n*|(?<=[。！？]))")
"""Marks with what closes and spaces behind them, line ends, or a mark that needs no space. All that can begin one
stands in front, as looking for one of several characters is far faster than trying one pattern after the other."""
ITEM = re.compile(r"\n[ \t]*(?:[-*+•–]|\(?\d{1,3}[.):]|[a-zA-Z][.)])[ \t]+(\S[^\n]*)")
"""An item of a list; to be looked for behind a line end, as are the labels of `FORM`."""
NAME = re.compile(r" [A-Z](?<=[a-z,;] [A-Z])[a-z](?: [A-Z][a-z])?")
"""A capitalised word inside a sentence; one of two letters takes the next with it."""
NO_ANSWER = re.compile(
    r"\bno (?:definitive|one (?:right|correct)|single) answer|\bunable to (?:answer|help|provide|determine)"
    r"|\bi (?:do not|don't) (?:know|have (?:personal|enough|the))|\bmore (?:information|context|details)\b"
)
DECLINING_SIGNS = (
    "sorry|afraid|unable|not able|not allowed|not permitted|i can|i won| ai|artificial|language model|i must|i have to|"
    "against my|answer|i do|more ".split("|")
)
"""In lower case: one of them is in all that `REFUSAL` and `NO_ANSWER` find."""
BLANK = re.compile(r"\[[^\]\n]{2,60}\](?!\()|<(?:insert|your)\b[^>\n]{0,60}>|[Ll]orem ipsum|\.{4,}|_{3,}")
BLANK_SIGNS = ("[", "<", "....", "___", "orem ipsum")
"""Without any of these there is no blank: looking for them is far faster. So it is with the other signs."""
FORM_LABEL = re.compile(
    r"\n\W{0,4}(?:instruction|input|output|response|answer|question|prompt|user|assistant|human|ai|q|a)\s?\d*\s?[:#]"
)
FORM = re.compile(rf"{FORM_LABEL.pattern}|<\||###\s?(?:instruction|input|output|response)")
"""The labels of a prompt's form in lower case, which a small model goes on writing after its answer."""
FORM_SIGNS = (":", "#", "<|")
FORM_MARKS = ("<|", "###")
"""Without any of these, labels at the beginning of lines are all there can be, and they are found far faster."""
OPENING = re.compile(
    r"\W*(?:sure|certainly|of course|absolutely|great|here(?:'s| is| are)|yes|no|okay|ok|hello|hi)\b", re.I
)
CLOSING = re.compile(
    r"(?:let me know|hope (?:this|that) helps|feel free|good luck|enjoy|happy to|if you (?:have|need|want|would)"
    r"|would you like)[^\n]{0,160}$",
    re.IGNORECASE,
)
CLOSING_SIGNS = ("let me know", "hope th", "feel free", "good luck", "enjoy", "happy to", "if you ", "would you like")
SHORTENING = re.compile(r"\b(?:concise\w*|brief\w*|in short|short answer|simplified)\b")
SHORTENING_SIGNS = ("concise", "brief", "short", "simplified")
INLINE_ITEM = re.compile(r"[0-9*•-](?<=\S .)(?:(?<=\d)\d?[.)]|(?<!\d)) [A-Z*]")
"""What begins a line of a list, in the middle of one."""
INLINE_ITEM_SIGNS = (" - ", " * ", " • ")
"""Or a number."""
ENDS = frozenset(".!?…。！？\"”')]`*|>}:")

COUNTS = (
    "lines",
    "paragraphs",
    "sentences",
    "sentence_words",
    "sentence_spread",
    "repeated_openings",
    "repeated_sentences",
    "lower_sentences",
    "items",
    "item_words",
    "last_line",
    "one_line",
    "names",
    "commas",
    "colons",
    "semicolons",
    "parentheses",
    "quotes",
    "dashes",
    "hyphens",
    "exclamations",
    "questions",
    "apostrophes",
    "full_stops",
    "bold",
    "headings",
    "code_block",
    "inline_items",
    "declines",
    "blanks",
    "form_labels",
    "stock_opening",
    "stock_closing",
    "notes",
    "shortens",
    "ends_whole",
    "starts_lower",
    "no_capitals",
    "not_ascii",
    "stops_midway",
    "ends_unlike_rest",
)
"""The names of the numbers of `text_counts`, in order: how many there are, or 1 where there is one."""


def text_counts(text: str, digits: bool) -> tuple[float, ...]:
    """The numbers named by `COUNTS`, of any text without space at its ends; the empty one too.

    `digits`: whether there are any; that is known already.
    """
    low = text.lower()
    sentences = [piece for piece in BREAK.split(text) if piece and not piece.isspace()]
    lengths = [piece.count(" ") + 1 for piece in sentences]
    n_sentences = max(len(sentences), 1)
    mean_length = sum(lengths) / n_sentences
    spread = math.sqrt(max(sum(map(mul, lengths, lengths)) / n_sentences - mean_length**2, 0.0))
    paragraphs = text.count("\n\n")
    items = ITEM.findall(f"\n{text}")
    item_lengths = [item.count(" ") + 1 for item in items] or [3]
    head, tail = low[:200], text[-250:]
    form = FORM if contains_any(text, FORM_MARKS) else FORM_LABEL
    ends_whole = text[-1:] in ENDS
    return (
        text.count("\n") - paragraphs + 1,
        paragraphs,
        n_sentences,
        mean_length,
        spread / (mean_length + 1),
        1 - len({piece[:12] for piece in sentences}) / n_sentences,
        1 - len(set(sentences)) / n_sentences,
        sum([piece[:1].islower() for piece in sentences]) / n_sentences,
        len(items),
        sum(item_lengths) / len(item_lengths),
        text.rpartition("\n")[2].count(" "),
        "\n" not in text,
        len(NAME.findall(text)),
        text.count(","),
        text.count(":"),
        text.count(";"),
        text.count("("),
        text.count('"') + text.count("“"),
        text.count(" - ") + text.count("—") + text.count("–"),
        text.count("-"),
        text.count("!"),
        text.count("?"),
        text.count("'"),
        text.count("."),
        text.count("**"),
        text.count("\n#") + text.startswith("#"),
        "```" in text,
        len(INLINE_ITEM.findall(text)) if digits or contains_any(text, INLINE_ITEM_SIGNS) else 0,
        contains_any(head, DECLINING_SIGNS) and bool(REFUSAL.search(head) or NO_ANSWER.search(head)),
        len(BLANK.findall(text)) if contains_any(text, BLANK_SIGNS) else 0,
        len(form.findall(f"\n{low}")) if contains_any(text, FORM_SIGNS) else 0,
        OPENING.match(text) is not None,
        contains_any(tail.lower(), CLOSING_SIGNS) and CLOSING.search(tail) is not None,
        "note that" in low,
        contains_any(head, SHORTENING_SIGNS) and SHORTENING.search(head) is not None,
        ends_whole,
        text[:1].islower(),
        low == text,
        not text.isascii(),
        stops_in_the_middle(text),
        0.0 if ends_whole else _ended_lines(text),
    )


def _ended_lines(text: str) -> float:
    """Which share of the lines before the last one, 0..1, ends as a sentence does; 0 where there is none."""
    ends = [line[-1] in ENDS for line in text.split("\n")[:-1] if line]
    return sum(ends) / len(ends) if ends else 0.0
