"""The place where the answer of a conversation starts, without making the tokens of its prompt a second time.

A tokenizer splits every text at its special tokens and makes the tokens of each part alone. So a conversation and its
prompt have the same tokens up to the last special token of the prompt, often `<|im_start|>`. Only what follows it, as
in the line `assistant`, can have other tokens in front of an answer, and it is the same text in most rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from operator import eq, itemgetter
from typing import Any

Encode = Callable[[Sequence[str]], list[list[int]]]


@dataclass(frozen=True)
class Split:
    """A special token at which a tokenizer splits texts: its text and its number."""

    text: str
    token: int


@dataclass(frozen=True)
class Parts:
    """A prompt up to and with its last special token `split`, which is its `number`-th one, and the text `after` it."""

    split: Split
    number: int
    after: str


def splits_of(tokenizer: Any) -> list[Split]:
    """Return the special tokens of a fast tokenizer."""
    return [Split(each.content, number) for number, each in tokenizer.added_tokens_decoder.items()]


def answer_starts(
    prompts: Sequence[str], whole: Sequence[str], ids: Sequence[list[int]], splits: Sequence[Split], encode: Encode
) -> list[int]:
    """Return the number of tokens that each prompt and its whole conversation begin with.

    `ids` are the tokens of `whole`. `encode` makes the tokens of texts; it is called once, with all texts that have to
    be encoded.
    """
    used = [split for split in splits if prompts and split.text in prompts[0]]
    parts = [_parts(*row, used) for row in zip(prompts, whole, ids, strict=True)]
    ends = [part.split.text + part.after if part else prompt for part, prompt in zip(parts, prompts, strict=True)]
    different = list(dict.fromkeys(ends))
    tokens = dict(zip(different, encode(different), strict=True))
    return [_start(part, tokens[end], of_row) for part, end, of_row in zip(parts, ends, ids, strict=True)]


def common_prefix(first: Sequence[int], second: Sequence[int]) -> int:
    """Return the number of tokens with which both begin."""
    if list(second[: len(first)]) == list(first):  # almost always, and fast
        return len(first)
    return sum(1 for _ in takewhile(bool, map(eq, first, second)))


def _parts(prompt: str, whole: str, ids: list[int], splits: Sequence[Split]) -> Parts | None:
    """Return the parts of a prompt, None if its tokens may be others than those of the conversation.

    They may be if the texts differ, or if the tokenizer takes the text of `split` for something else somewhere.
    """
    found = [(prompt.rfind(split.text) + len(split.text), split) for split in splits if split.text in prompt]
    if not found:
        return None
    end, split = max(found, key=itemgetter(0))
    if not whole.startswith(prompt[:end]) or whole.count(split.text) != ids.count(split.token):
        return None
    return Parts(split, prompt.count(split.text, 0, end), prompt[end:])


def _start(part: Parts | None, tokens: Sequence[int], ids: list[int]) -> int:
    """Return the number of tokens that a conversation and its prompt begin with.

    `tokens` are those of the prompt from its last special token on, or without parts those of the whole prompt.
    """
    place = -1
    for _ in range(part.number if part else 0):
        assert part is not None
        place = ids.index(part.split.token, place + 1)
    place = max(place, 0)
    return place + common_prefix(tokens, ids[place : place + len(tokens)])
