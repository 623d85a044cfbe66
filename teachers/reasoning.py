"""Sets a model's reasoning apart from its answer, for all engines.

Servers and engines leave reasoning in the text if they do not know the model's form of it. The forms are those of
vLLM's reasoning parsers, of OpenAI's Harmony format and of models that were tuned on tags of their own.
"""

import re

from skillmill.data.text.code import without_code
from skillmill.data.text.lazy_patterns import lazy_pattern
from skillmill.data.text.phrases import contains_any
from skillmill.teachers.chat_tokens import without_outer_tokens

NAMES = (
    r"(?:\w{1,12}:)?(?:think|thinking|thoughts?|thought_process|reason|reasoning|reflection|reflect|scratchpad|"
    r"chain_of_thought|cot|inner_monologue|monologue|analysis|ant_?thinking)(?::\w{1,12})?"
)
"""Names of tags around reasoning, in any case: `<think>`, `<seed:think>` (Seed-OSS), `<mm:think>` (MiniMax)."""

WRAPPERS: tuple[tuple[str, str], ...] = (
    (rf"<(?P<name>{NAMES})\s*>", r"</{name}\s*>"),
    (rf"&lt;(?P<name>{NAMES})&gt;", r"&lt;/{name}&gt;"),
    (r"\[(?P<name>THINK|THINKING|THOUGHT|REASONING)\]", r"\[/{name}\]"),  # Magistral
    (r"◁(?P<name>think)▷", r"◁/{name}▷"),  # Kimi
    (r"<\|begin_of_(?P<name>thought|thinking|reasoning)\|>", r"<\|end_of_{name}\|>"),  # OpenThoughts, Sky-T1
    (r"<\|START_(?P<name>THINKING)\|>", r"<\|END_{name}\|>"),  # Command A
    (r"<\|(?P<name>thinking|think|thought|reasoning)\|>", r"<\|/{name}\|>|<\|end_{name}\|>|</\|{name}\|>"),
    (r"<\|(?P<name>inner)_prefix\|>", r"<\|{name}_suffix\|>"),  # Apertus
    (r"<\|channel>(?P<name>thought|analysis)?", r"<channel\|>"),  # Gemma 4
    (r"<unused94>(?P<name>thought)?", r"<unused95>"),  # MedGemma
    (r"\[unused16\](?P<name>)", r"\[unused17\]"),  # openPangu
    (r"<\|im_start\|>assistant/(?P<name>think)", r"<\|im_end\|>"),  # HyperCLOVA X
    (r'<(?P<name>details) type="reasoning"[^>]*>', r"</{name}>"),  # Open WebUI
    (r"```(?P<name>thinking|think|thought|reasoning)[ \t]*\n", r"\n```[ \t]*(?:\n|\Z)"),
    (r"Here(?: is|['’]s) my (?P<name>thought) process:", r"Here(?: is|['’]s) my response:"),  # Granite
)
"""(start, end) of reasoning as patterns; "{name}" in the end stands for the name that the start has."""

_STARTS = [lazy_pattern(start, re.IGNORECASE) for start, _ in WRAPPERS]
_ANY_START = lazy_pattern("|".join(re.sub(r"\?P<name>", "?:", start) for start, _ in WRAPPERS), re.IGNORECASE)
CLOSING = lazy_pattern(
    rf"</{NAMES}\s*>|\[/(?:THINK|THINKING|THOUGHT|REASONING)\]|◁/think▷|<\|end_of_(?:thought|thinking|reasoning)\|>"
    r"|<\|END_THINKING\|>|<\|inner_suffix\|>|<channel\|>|<unused95>|\[unused17\]|&lt;/think(?:ing)?&gt;"
    r"|<\|/think(?:ing)?\|>",
    re.IGNORECASE,
)
"""A closing tag of reasoning."""
WRAPPER_TAG = lazy_pattern(
    rf"{CLOSING.pattern}|</?{NAMES}\s*>|\[(?:THINK|THINKING|REASONING)\]|◁think▷|<\|channel>|<unused94>|\[unused16\]",
    re.IGNORECASE,
)
"""A tag that belongs around reasoning. One in an answer shows that reasoning was not set apart."""
UNMARKED_CHANNEL = lazy_pattern(
    r"(?:analysis|assistantanalysis|commentary)(?=[A-Z])|assistant(?:final|analysis|commentary)"
)
"""Harmony channels whose marks were dropped: a tokenizer's decoding skips special tokens."""

_START_SIGNS = ("<", "&lt;", "[", "◁", "```", "thought")
"""In lower case. Every start contains one of them; searching for them first is faster."""

_CLOSING_SIGNS = ("<", "[", "◁", "&")
"""The first characters of all closing tags."""

NEAR = 400
"""The number of characters before reasoning that count as its preamble ("Sure, let me think.")."""
_ABOUT_TAGS = lazy_pattern(
    r"\b(?:tags?|tokens?|wrap\w*|formats?|templates?|mark-?up|syntax|elements?|enclos\w+|delimit\w+|xml|html)\b", re.I
)
_SENTENCE_END = lazy_pattern(r"(?:^|[.!?…。！？*:>)\]\"”’])\Z")
_ANSWER_WRAPPER = lazy_pattern(
    r"\s*<(?P<name>answer|output|response|final|final_answer|solution|result)>\s*(?P<answer>.*?)\s*</(?P=name)>\s*\Z"
    r"|\s*<(?:answer|output|response|final|final_answer|solution)>(?P<open>(?:(?!</).)*)\Z",
    re.DOTALL | re.IGNORECASE,
)
_HARMONY = lazy_pattern(
    r"(?:<\|start\|>[\w.-]*)?<\|channel\|>\s*(?P<channel>\w+)[^<]{0,60}(?:<\|constrain\|>\w+)?<\|message\|>"
)
_CHANNELS = lazy_pattern(
    r"\s*(?:assistant)?(?:analysis|commentary)(?:(?=[A-Z]|\s*\n)(?P<joined>.*?)assistant\s*final"
    r"|\b(?P<spaced>.*?)assistantfinal)",
    re.DOTALL,
)
_HARMONY_END = lazy_pattern(r"<\|(?:end|return|call)\|>|<\|start\|>")


def separate_reasoning(text: str, thinking: str = "") -> tuple[str, str]:
    """Return (answer, reasoning) for the text of a reply, both without control tokens around them.

    `thinking` is the reasoning that the engine has already set apart; the text's own is added to it. The answer is ""
    if reasoning is never closed. A text without reasoning is returned as it is.
    """
    answer, thoughts = text, []
    while True:
        split = _harmony(answer) or _wrapped(answer) or _unmarked(answer) or _only_closed(answer)
        if split is None:
            break
        answer, thought = split
        thoughts.append(thought.strip())
    if thoughts:
        answer = answer.lstrip()
        if inner := _ANSWER_WRAPPER.match(without_outer_tokens(answer)):
            answer = (inner["answer"] if inner["open"] is None else inner["open"]).strip()
    reasoning = "\n".join(part for part in (thinking, *thoughts) if part)
    return without_outer_tokens(answer), reasoning


def _wrapped(text: str) -> tuple[str, str] | None:
    """Return the text after a wrapper near its beginning, and what is before and in the wrapper."""
    opening = _opening(text)
    if opening is None:
        return None
    number, start = opening
    end = re.compile(WRAPPERS[number][1].replace("{name}", re.escape(start["name"] or "")), re.IGNORECASE)
    preamble = text[: start.start()]
    depth = 1
    closing = None
    for closing in end.finditer(text, start.end()):  # nested wrappers of the same name close as often as they open
        depth = 1 + len(_STARTS[number].findall(text[start.end() : closing.start()]))
        if depth <= len(end.findall(text[start.end() : closing.end()])):
            break
    if closing is None:
        return None if preamble.strip() else ("", text[start.end() :])
    answer = text[closing.end() :]
    if preamble.strip() and not answer.strip():
        return None
    return answer, f"{preamble}{text[start.end() : closing.start()]}"


def _opening(text: str) -> tuple[int, re.Match[str]] | None:
    """Return the number and the match of the wrapper that opens near the beginning of a text that is no JSON."""
    if not contains_any(text[: NEAR + 40].lower(), _START_SIGNS):
        return None
    if not (first := _ANY_START.search(text, 0, NEAR + 40)) or text.lstrip()[:1] in ("{", '"'):
        return None
    preamble = text[: first.start()]
    if preamble.strip():
        is_code = not without_code(text[: first.end() + NEAR])[first.start() : first.end()].strip()
        at_line_start = preamble.endswith("\n")
        if is_code or _ABOUT_TAGS.search(preamble) or not (at_line_start or _SENTENCE_END.search(preamble.rstrip())):
            return None
        if not at_line_start and preamble.rstrip().endswith(":"):
            return None
    return next((n, match) for n, start in enumerate(_STARTS) if (match := start.match(text, first.start())))


def _only_closed(text: str) -> tuple[str, str] | None:
    """Return the text after a closing tag whose opening was dropped, and the text before it."""
    if not any(sign in text for sign in _CLOSING_SIGNS) or not CLOSING.search(text):
        return None
    if text.lstrip()[:1] in ("{", '"'):
        return None
    for tag in CLOSING.finditer(without_code(text)):
        before, after = text[: tag.start()], text[tag.end() :]
        if WRAPPER_TAG.search(before):
            return None
        in_sentence = before[-1:] == " " and after[:1] == " " and not _SENTENCE_END.search(before.rstrip())
        if not in_sentence:
            return after, before
    return None


def _harmony(text: str) -> tuple[str, str] | None:
    """Return the final channel of a text in OpenAI's Harmony format, and its other channels."""
    first = _HARMONY.search(text, 0, NEAR) if "<|channel|>" in text else None
    if first is None or text[: first.start()].strip() not in ("", "<|start|>assistant"):
        return None
    final: list[str] = []
    others: list[str] = []
    heads = list(_HARMONY.finditer(text))
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        content = text[head.end() : following.start() if following else len(text)]
        content = _HARMONY_END.split(content, maxsplit=1)[0]
        (final if head["channel"] == "final" else others).append(content.strip())
    return "\n".join(final), "\n".join(others)


def _unmarked(text: str) -> tuple[str, str] | None:
    """Return the final channel of a Harmony text whose marks were dropped, and the text before it."""
    if "final" not in text:
        return None
    if opening := _CHANNELS.match(text):
        return text[opening.end() :], opening["joined"] or opening["spaced"]
    found = re.search(r"assistantfinal(?![a-z]{2} )", without_code(text))
    if found and not re.search(r"[\w]", text[max(0, found.start() - 1) : found.start()]):
        return text[found.end() :], text[: found.start()]
    return None
