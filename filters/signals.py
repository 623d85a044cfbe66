"""What is measured in an answer: some ninety plain numbers, none of which decides anything."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import repeat
from operator import mul

from skillmill.filters.asked import FUNCTION_WORDS, Asked, may_hold, tokens
from skillmill.filters.form import stops_in_the_middle
from skillmill.filters.rarity import stem
from skillmill.filters.substance import REFUSAL
from skillmill.filters.word_vectors import closeness, likeness, word_vectors

READ_CHARACTERS = 16_000
"""About 2,500 words; of a longer answer the head and the end are read, so that no text takes long."""

BREAK = re.compile(r"[.!?\n。！？](?:(?<=[.!?])[.!?]*[\"')\]*_]*\s+|(?<=\n)\n*|(?<=[。！？]))")
"""Marks with what closes and spaces behind them, line ends, or a mark that needs no space. All that can begin one
stands in front, as looking for one of several characters is far faster than trying one pattern after the other."""
ITEM = re.compile(r"\n[ \t]*(?:[-*+•–]|\(?\d{1,3}[.):]|[a-zA-Z][.)])[ \t]+(\S[^\n]*)")
"""An item of a list; to be looked for behind a line end, as are the labels of `FORM`."""
NAME = re.compile(r" [A-Z](?<=[a-z,;] [A-Z])[a-z](?: [A-Z][a-z])?")
"""A capitalised word inside a sentence; one of two letters takes the next with it."""
HEDGES = tuple(
    "may might could perhaps possibly generally usually often typically probably somewhat various several many some "
    "different certain things something stuff etc overall basically depends likely sometimes".split()
)
CONNECTIVES = tuple(
    "however therefore because although though while whereas since thus hence moreover furthermore additionally "
    "finally first second third then next also instead including example such meanwhile especially particularly due "
    "despite once unless rather consequently ultimately".split()
)
FIRST_PERSON = "i me my mine we our us i'm i'd i've".split()
SECOND_PERSON = "you your yours yourself you'll you're".split()
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
SUMMING_UP = frozenset(("remember", "overall", "conclusion", "ultimately", "additionally"))
SHORTENING = re.compile(r"\b(?:concise\w*|brief\w*|in short|short answer|simplified)\b")
SHORTENING_SIGNS = ("concise", "brief", "short", "simplified")
INLINE_ITEM = re.compile(r"[0-9*•-](?<=\S .)(?:(?<=\d)\d?[.)]|(?<!\d)) [A-Z*]")
"""What begins a line of a list, in the middle of one."""
INLINE_ITEM_SIGNS = (" - ", " * ", " • ")
"""Or a number."""
LEANING = frozenset(
    "it this that these those they he she him her them its their but and or so also another finally however therefore "
    "then thus additionally furthermore moreover lastly secondly second third next such because overall".split()
)
"""An answer hardly begins with a word that leans on a sentence before it."""
MOST_BEGINNINGS = 50
"""Of a loop of one word with another behind it, every word may begin it anew: so many are looked at."""
ENDS = frozenset(".!?…。！？\"”')]`*|>}:")

MEASURES = (
    "log_words",
    "log_sentences",
    "log_lines",
    "log_sentence_words",
    "sentence_spread",
    "log_distinct_words",
    "variety",
    "once_only",
    "word_length",
    "function_words",
    "log_subject_words",
    "log_new_words",
    "repeated_openings",
    "coverage",
    "log_covered",
    "from_instruction",
    "echoed_4grams",
    "subject_density",
    "numbers",
    "log_numbers",
    "names",
    "log_names",
    "commas",
    "log_colons",
    "colons",
    "log_semicolons",
    "log_parentheses",
    "log_quotes",
    "log_dashes",
    "log_hyphens",
    "log_exclamations",
    "log_questions",
    "apostrophes",
    "full_stops",
    "log_bold",
    "log_headings",
    "code_block",
    "log_items",
    "items_per_line",
    "log_paragraphs",
    "log_words_per_line",
    "hedges",
    "connectives",
    "first_person",
    "second_person",
    "the",
    "be",
    "and",
    "that",
    "it",
    "to",
    "of",
    "declines",
    "log_blanks",
    "log_form_labels",
    "stock_opening",
    "stock_closing",
    "sums_up",
    "says_brief",
    "ends_whole",
    "starts_lower",
    "no_capitals",
    "missing_items",
    "missing_code",
    "not_ascii",
    "log_item_words",
    "log_last_line",
    "one_line",
    "lower_sentences",
    "rarity_coverage",
    "log_shared_rarity",
    "rarest_shared",
    "brief_as_asked",
    "meaning",
    "meaning_first_half",
    "meaning_second_half",
    "halves_alike",
    "instruction_echoed",
    "repeated_sentences",
    "halves_shared",
    "stops_midway",
    "ends_unlike_rest",
    "said_again",
    "log_inline_items",
    "leans_back",
    "subject_met",
    "words_on_subject",
)
"""The names of the numbers of `measures`, in order. "log" is log(1 + count); the rest are shares or per 100 words."""


def measures(request: Asked, response: str) -> tuple[float, ...]:
    """The numbers named by `MEASURES`. Takes any text; the empty one too."""
    text = response.strip()
    if len(text) > READ_CHARACTERS:
        text = text[: READ_CHARACTERS - 1000] + "\n" + text[-1000:]
    low = text.lower()
    words = tokens(text)
    n = max(len(words), 1)
    counts = Counter(words)
    get = counts.get
    distinct = list(counts)  # in the text's order: those of its first half come first
    middle = len(words) // 2
    in_first, second = len(set(words[:middle])), set(words[middle:])
    half_words = [word for word in distinct[:in_first] if word not in FUNCTION_WORDS]
    first = [word for word in half_words if word not in second]
    both = [word for word in half_words if word in second]
    rest = [word for word in distinct[in_first:] if word not in FUNCTION_WORDS]
    subject_words = first + both + rest
    function_words = len(words) - sum(map(counts.__getitem__, subject_words))
    stemmed = list(map(stem, subject_words))
    stems = set(stemmed)
    shared = stems & request.subject.keys()
    rarities = [request.subject[one] for one in shared]
    rarity_shared = math.fsum(rarities)  # the same in whatever order a set gives them
    on_subject = (
        sum([counts[word] for word, one in zip(subject_words, stemmed, strict=True) if one in shared]) if shared else 0
    )
    sentences = [piece for piece in BREAK.split(text) if piece and not piece.isspace()]
    lengths = [piece.count(" ") + 1 for piece in sentences]
    n_sentences = max(len(sentences), 1)
    mean_length = sum(lengths) / n_sentences
    spread = math.sqrt(max(sum(map(mul, lengths, lengths)) / n_sentences - mean_length**2, 0.0))
    may_echo = any(a in counts and b in counts and c in counts and d in counts for a, b, c, d in request.four_grams)
    fours = set(zip(words, words[1:], words[2:], words[3:], strict=False)) if may_echo else ()
    lined = f"\n{text}"
    lines = text.count("\n") - text.count("\n\n") + 1
    items = ITEM.findall(lined)
    item_lengths = [item.count(" ") + 1 for item in items] or [3]
    names = len(NAME.findall(text))
    letters = "".join(words)
    numbers = 0 if letters.isalpha() else sum(map(counts.__getitem__, filter(str.isdigit, counts)))
    parts = len(items) or max(text.count(","), lines - 1, len(sentences) - 1) + 1
    colons, per_100 = text.count(":"), 100 / n
    head, tail = low[:200], text[-250:]
    declines = may_hold(head, DECLINING_SIGNS) and bool(REFUSAL.search(head) or NO_ANSWER.search(head))
    blanks = len(BLANK.findall(text)) if may_hold(text, BLANK_SIGNS) else 0
    form = FORM if may_hold(text, FORM_MARKS) else FORM_LABEL
    labels = len(form.findall(f"\n{low}")) if may_hold(text, FORM_SIGNS) else 0
    closes = may_hold(tail.lower(), CLOSING_SIGNS) and CLOSING.search(tail) is not None
    shortens = may_hold(head, SHORTENING_SIGNS) and SHORTENING.search(head) is not None
    inline_items = len(INLINE_ITEM.findall(text)) if numbers or may_hold(text, INLINE_ITEM_SIGNS) else 0
    fewest, most = request.usual_words
    about, about_halves = word_vectors().of_halves(first, both, rest)
    echoed = request.four_grams.intersection(fours)
    log = math.log1p

    def share(of: Iterable[str]) -> float:
        return per_100 * sum(map(get, of, repeat(0)))

    return (
        log(len(words)),
        log(n_sentences),
        log(lines),
        log(mean_length),
        spread / (mean_length + 1),
        log(len(counts)),
        len(counts) / math.sqrt(n),
        list(counts.values()).count(1) / n,
        len(letters) / n,
        function_words / n,
        log(len(subject_words)),
        log(len(stems) - len(shared)),
        1 - len({piece[:12] for piece in sentences}) / n_sentences,
        len(shared) / len(request.subject) if request.subject else 0.5,
        log(len(shared)),
        len(shared) / max(len(stems), 1),
        len(echoed) / max(len(fours), 1),
        on_subject / n,
        log(per_100 * numbers),
        log(numbers),
        per_100 * names,
        log(names),
        per_100 * text.count(","),
        log(colons),
        per_100 * colons,
        log(text.count(";")),
        log(text.count("(")),
        log(text.count('"') + text.count("“")),
        log(text.count(" - ") + text.count("—") + text.count("–")),
        log(text.count("-")),
        log(text.count("!")),
        log(text.count("?")),
        per_100 * text.count("'"),
        per_100 * text.count("."),
        log(text.count("**")),
        log(text.count("\n#") + text.startswith("#")),
        float("```" in text),
        log(len(items)),
        len(items) / lines,
        log(text.count("\n\n")),
        log(n / lines),
        share(HEDGES),
        share(CONNECTIVES),
        share(FIRST_PERSON),
        share(SECOND_PERSON),
        per_100 * get("the", 0),
        share(("is", "are", "was", "were", "be", "been")),
        per_100 * get("and", 0),
        share(("that", "which")),
        share(("it", "this", "they", "there")),
        per_100 * get("to", 0),
        per_100 * get("of", 0),
        float(declines),
        log(blanks),
        log(labels),
        float(OPENING.match(text) is not None),
        float(closes),
        float(not SUMMING_UP.isdisjoint(counts) or "note that" in low),
        float(shortens and not request.wants_brief),
        float(text[-1:] in ENDS),
        float(text[:1].islower()),
        float(low == text),
        max(0.0, 1 - parts / request.promised) if request.promised else 0.0,
        float(request.wants_code and "```" not in text and "(" not in text),
        float(not text.isascii()),
        log(sum(item_lengths) / len(item_lengths)),
        log(text.rpartition("\n")[2].count(" ")),
        float("\n" not in text),
        sum([piece[:1].islower() for piece in sentences]) / n_sentences,
        rarity_shared / sum(request.subject.values()) if request.subject else 0.5,
        log(rarity_shared),
        max(rarities, default=0.0),
        float(bool(words) and fewest <= len(words) <= most and not (declines or blanks)),
        *likeness(request.about.sum, about_halves),
        len(echoed) / max(len(request.four_grams), 1),
        1 - len(set(sentences)) / n_sentences,
        len(both) / max(len(both) + len(rest), 1),
        float(stops_in_the_middle(text)),
        0.0 if text[-1:] in ENDS else _ended_lines(text),
        said_again(words) if words and counts[words[0]] > 1 else 0.0,
        log(inline_items),
        float(not LEANING.isdisjoint(words[:1])),
        *closeness(request.about, about),
    )


def said_again(words: Sequence[str]) -> float:
    """Which share of a text, 0..1, only says its beginning again: 1/2 where it is there twice, 3/4 four times.

    A beginning counts that comes again whole, or as far as the text goes.
    """
    n, best, start = len(words), 0, 0
    with suppress(ValueError):  # the first word does not come any more
        for _ in range(min(MOST_BEGINNINGS, n)):
            start = words.index(words[0], start + 1)
            for length in (n - start, min(start, n - start)):
                alike = length > best and words[start + length - 1] == words[length - 1]  # spares most of the slices
                if alike and words[start : start + length] == words[:length]:
                    best = length
    return best / n if n else 0.0


def _ended_lines(text: str) -> float:
    """Which share of the lines before the last one, 0..1, ends as a sentence does; 0 where there is none."""
    ends = [line[-1] in ENDS for line in text.split("\n")[:-1] if line]
    return sum(ends) / len(ends) if ends else 0.0
