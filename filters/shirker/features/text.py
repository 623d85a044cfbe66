"""Features from the text of an answer: sentences, lines, list items, punctuation marks and set phrases.

Most patterns have signs: substrings, one of which is in every match. A search for the signs is much faster than the
pattern, and most texts have none of them.
"""

import math
import re
from operator import mul

from skillmill.data.text.phrases import contains_any
from skillmill.data.text.sentences import END_MARKS, WIDE_END_MARKS
from skillmill.filters.rows.cut_off import stops_in_the_middle
from skillmill.filters.rows.refusal import REFUSAL

BREAK = re.compile(
    rf"[{END_MARKS}\n{WIDE_END_MARKS}]"
    rf"(?:(?<=[{END_MARKS}])(?<![{END_MARKS}].)[{END_MARKS}]*[\"')\]*_]*\s+|(?<=\n)\n*|(?<=[{WIDE_END_MARKS}]))"
)
"""The break between two sentences: end marks, closers and white space; line ends; or a full-width end mark.

A third of all answers have other breaks by `skillmill.data.text.sentences`, so that one has to wait until the model is
trained again. Every character that can begin a break is in the first class, which is faster than alternatives in turn.
"""
ITEM = re.compile(r"\n[ \t]*(?:[-*+•–]|\(?\d{1,3}[.):]|[a-zA-Z][.)])[ \t]+(\S[^\n]*)")
"""A list item. The text is searched with a line end in front of it, as for the labels of `FORM`."""
NAME = re.compile(r" [A-Z](?<=[a-z,;] [A-Z])[a-z](?: [A-Z][a-z])?")
"""A capitalised word inside a sentence. A word of two letters and the capitalised word after it are one name."""
NO_ANSWER = re.compile(
    r"\bno (?:definitive|one (?:right|correct)|single) answer|\bunable to (?:answer|help|provide|determine)"
    r"|\bi (?:do not|don't) (?:know|have (?:personal|enough|the))|\bmore (?:information|context|details)\b"
)
"""A statement that there is no answer, apart from those of `REFUSAL`; in lower case."""
DECLINING_SIGNS = (
    "sorry|afraid|unable|not able|not allowed|not permitted|i can|i won| ai|artificial|language model|i must|i have to|"
    "against my|answer|i do|more ".split("|")
)
"""The signs of `REFUSAL` and `NO_ANSWER`, in lower case."""
BLANK = re.compile(r"\[[^\]\n]{2,60}\](?!\()|<(?:insert|your)\b[^>\n]{0,60}>|[Ll]orem ipsum|\.{4,}|_{3,}")
"""A placeholder that was not filled in."""
BLANK_SIGNS = ("[", "<", "....", "___", "orem ipsum")
"""The signs of `BLANK`."""
FORM_LABEL = re.compile(
    r"\n\W{0,4}(?:instruction|input|output|response|answer|question|prompt|user|assistant|human|ai|q|a)\s?\d*\s?[:#]"
)
FORM = re.compile(rf"{FORM_LABEL.pattern}|<\||###\s?(?:instruction|input|output|response)")
"""Labels of a prompt template in lower case; small models continue with them after their answer."""
FORM_SIGNS = (":", "#", "<|")
FORM_MARKS = ("<|", "###")
"""A text without any of these can only match `FORM_LABEL`, which is much faster than `FORM`."""
OPENING = re.compile(
    r"\W*(?:sure|certainly|of course|absolutely|great|here(?:'s| is| are)|yes|no|okay|ok|hello|hi)\b", re.I
)
"""A stock phrase at the beginning of an answer."""
CLOSING = re.compile(
    r"(?:let me know|hope (?:this|that) helps|feel free|good luck|enjoy|happy to|if you (?:have|need|want|would)"
    r"|would you like)[^\n]{0,160}$",
    re.IGNORECASE,
)
"""A stock phrase in the last line of an answer."""
CLOSING_SIGNS = ("let me know", "hope th", "feel free", "good luck", "enjoy", "happy to", "if you ", "would you like")
SHORTENING = re.compile(r"\b(?:concise\w*|brief\w*|in short|short answer|simplified)\b")
"""A remark that the answer is short, as in "Here is a brief overview"."""
SHORTENING_SIGNS = ("concise", "brief", "short", "simplified")
INLINE_ITEM = re.compile(r"[0-9*•-](?<=\S .)(?:(?<=\d)\d?[.)]|(?<!\d)) [A-Z*]")
"""The beginning of a list item in the middle of a line."""
INLINE_ITEM_SIGNS = (" - ", " * ", " • ")
"""The signs of `INLINE_ITEM`, apart from digits."""
ENDS = frozenset(".!?…。！？\"”')]`*|>}:")
"""The characters that a complete line of prose, code or Markdown can end with."""

TEXT_FEATURES = (
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
"""The names of the numbers of `text_features`, in order. Names that say whether a text has a property are 1 or 0."""


def text_features(text: str, has_digits: bool) -> tuple[float, ...]:
    """Return the numbers named by `TEXT_FEATURES` for a text without white space at its ends, which may be empty.

    `has_digits` is whether the text contains digits, which the caller knows from its tokens.
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
        len(INLINE_ITEM.findall(text)) if has_digits or contains_any(text, INLINE_ITEM_SIGNS) else 0,
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
    """Return the share of lines before the last one, 0..1, that end with an end mark; 0 if there are none."""
    ends = [line[-1] in ENDS for line in text.split("\n")[:-1] if line]
    return sum(ends) / len(ends) if ends else 0.0
