"""The tokens of conversations, made in batches by the chat template of a tokenizer."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skillmill.train.quiet import environment
from skillmill.train.tokens.answer_starts import answer_starts, common_prefix, splits_of

StartsAndIds = tuple[list[int], list[list[int]]]

BATCH = 1000
"""The number of rows whose tokens are made together."""


@dataclass(frozen=True)
class Conversations:
    """The tokens of rows.

    `starts`: the number of tokens before the answers, by row. `whole`: the tokens of the whole conversations, by column
    of answers and row.
    """

    starts: list[int]
    whole: list[list[list[int]]]


@dataclass(frozen=True)
class Sizes:
    """The number of tokens of rows before anything was cut.

    `starts` (rows,): before the answers. `lengths` (rows, columns of answers): of whole conversations.
    """

    starts: NDArray[np.int32]
    lengths: NDArray[np.int32]

    def left(self, max_length: int | None, keeps_end: bool) -> NDArray[np.int32]:
        """Return the number of tokens of each answer that a cut to `max_length` leaves, (rows, columns of answers).

        `keeps_end`: the last tokens of a conversation are kept instead of the first ones.
        """
        starts = self.starts[:, None]
        left: NDArray[np.int32] = self.lengths - starts
        if max_length is not None and keeps_end:
            left = np.minimum(left, np.int32(max_length))
        elif max_length is not None:
            left = np.maximum(np.minimum(self.lengths, np.int32(max_length)) - starts, np.int32(0))
        return left


def conversations(batch: Mapping[str, list[Any]], tokenizer: Any, answers: Sequence[str]) -> Conversations:
    """Return the tokens of rows with a column `prompt` and the columns `answers`, each of lists of messages.

    As in TRL, an answer starts where the tokens of the prompt and of the whole conversation diverge. Of several
    answers the first such place counts.
    """
    prompts = batch["prompt"]
    chats = [[prompt + answer for prompt, answer in zip(prompts, batch[column], strict=True)] for column in answers]
    starts_of = _starts_by_texts if tokenizer.is_fast else _starts_by_tokens
    starts, whole = zip(*starts_of(tokenizer, prompts, chats), strict=True)
    return Conversations(list(map(min, zip(*starts, strict=True))), list(whole))


def sizes_of(rows: Any, tokenizer: Any, answers: Sequence[str]) -> Sizes:
    """Return the number of tokens of a `datasets.Dataset` with a column `prompt` and the columns `answers`."""
    batches: Iterable[Mapping[str, list[Any]]] = rows.select_columns(["prompt", *answers]).iter(BATCH)
    starts: list[int] = []
    lengths: list[tuple[int, ...]] = []
    for batch in batches:
        made = conversations(batch, tokenizer, answers)
        starts += made.starts
        lengths += zip(*(map(len, column) for column in made.whole), strict=True)
    return Sizes(np.array(starts, np.int32), np.array(lengths, np.int32).reshape(len(starts), len(answers)))


def _starts_by_texts(tokenizer: Any, prompts: list[Any], columns: list[list[Any]]) -> Iterator[StartsAndIds]:
    """Yield the starts of answers and the tokens of chats for each column, by the texts that a fast tokenizer reads."""
    asked, splits = rendered(tokenizer, prompts, add_generation_prompt=True), splits_of(tokenizer)
    for chats in columns:
        whole = rendered(tokenizer, chats)
        ids = encoded(tokenizer, whole)
        yield answer_starts(asked, whole, ids, splits, partial(encoded, tokenizer)), ids


def _starts_by_tokens(tokenizer: Any, prompts: list[Any], columns: list[list[Any]]) -> Iterator[StartsAndIds]:
    """Yield the same for a tokenizer in Python, which may have no texts between chats and tokens."""
    asked = tokenizer.apply_chat_template(prompts, add_generation_prompt=True, return_dict=True)["input_ids"]
    for chats in columns:
        ids = tokenizer.apply_chat_template(chats, return_dict=True)["input_ids"]
        yield list(map(common_prefix, asked, ids)), ids


def rendered(tokenizer: Any, chats: Sequence[list[Any]], **options: Any) -> list[str]:
    """Return the texts of chats by the chat template of the tokenizer; `options` are those of the template."""
    texts: list[str] = tokenizer.apply_chat_template(list(chats), tokenize=False, **options)
    return texts


def encoded(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Return the tokens of texts by a fast tokenizer, without special tokens that the texts do not have."""
    tokenizer("", add_special_tokens=False)  # ends truncation and padding that the tokenizer was saved with
    with environment({"TOKENIZERS_PARALLELISM": "true"}):
        encodings = tokenizer.backend_tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
    return [encoding.ids for encoding in encodings]
