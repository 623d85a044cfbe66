"""The tokens of conversations, made in batches: what TRL makes of each row alone, in a fraction of the time.

TRL takes rows that have `input_ids` and `labels` as they are. On 100,000 rows its own preparation takes minutes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from operator import eq
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skillmill.train.quiet import environment

IGNORED = -100
"""The label of a token that is not learnt."""
BATCH = 1000
PREPARED = {"skip_prepare_dataset": True}
"""The value of TRL's argument `dataset_kwargs` for rows that need no preparation."""


@dataclass(frozen=True)
class Tokens:
    """The tokens of rows. `dataset` has `input_ids` and `labels`, without rows of which no answer is left.

    `starts` and `lengths`: the number of tokens before the answer, and of the whole conversation, of all rows before
    anything was cut.
    """

    dataset: Any
    starts: NDArray[np.int32]
    lengths: NDArray[np.int32]


def prepared(rows: Any, tokenizer: Any, args: Any) -> Tokens | None:
    """Return the tokens of rows for a `trl.SFTConfig`, None if TRL has to prepare the rows itself.

    TRL packs, shuffles and masks by its own means, gives a template with new tokens to the student, and says what is
    wrong if no answer is left.
    """
    template = args.chat_template_path
    if args.packing or args.shuffle_dataset or args.assistant_only_loss or args.dataset_kwargs not in (None, PREPARED):
        return None
    if not tokenizer.is_fast or not hasattr(rows, "__len__") or (template and not Path(template).is_file()):
        return None
    if template:
        tokenizer.chat_template = Path(template).read_text(encoding="utf-8")
    keeps_end, answer_only = args.truncation_mode == "keep_end", args.completion_only_loss is not False
    tokens = tokens_of(rows, tokenizer, args.max_length, keeps_end, answer_only)
    return tokens if len(tokens.dataset) else None


def tokens_of(rows: Any, tokenizer: Any, max_length: int | None, keeps_end: bool, answer_only: bool) -> Tokens:
    """Return the tokens of a `datasets.Dataset` with `prompt` and `completion`, as TRL makes them.

    `max_length`: the most tokens of a conversation, None for any number; `keeps_end` keeps the last instead of the
    first ones. `answer_only`: only the tokens of the answer are learnt.
    """
    from datasets import Features, List, Value

    kept = slice(-max_length, None) if max_length and keeps_end else slice(None, max_length)

    def tokenise(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        prompts, completions = batch["prompt"], batch["completion"]
        asked = token_ids(tokenizer, prompts, add_generation_prompt=True)
        whole = token_ids(tokenizer, [prompt + answer for prompt, answer in zip(prompts, completions, strict=True)])
        starts = [common_prefix(one, other) for one, other in zip(asked, whole, strict=True)]
        labels = [
            [*[IGNORED] * start, *ids[start:]] if answer_only else ids for start, ids in zip(starts, whole, strict=True)
        ]
        return {
            "input_ids": [ids[kept] for ids in whole],
            "labels": [each[kept] for each in labels],
            "start": starts,
            "length": list(map(len, whole)),
        }

    lists, numbers = List(Value("int32")), Value("int32")
    types = {"input_ids": lists, "labels": lists, "start": numbers, "length": numbers}
    with environment({"TOKENIZERS_PARALLELISM": "true"}):
        made = rows.map(
            tokenise,
            batched=True,
            batch_size=BATCH,
            remove_columns=rows.column_names,
            features=Features(types),
            load_from_cache_file=False,
        )
    starts, lengths = (np.array(made.data.column(name), np.int32) for name in ("start", "length"))
    left = answers_left(starts, lengths, max_length, keeps_end)
    dataset = made.select_columns(["input_ids", "labels"])
    if answer_only and (left == 0).any():
        dataset = dataset.select(np.flatnonzero(left))
    return Tokens(dataset, starts, lengths)


def answers_left(
    starts: NDArray[np.int32], lengths: NDArray[np.int32], max_length: int | None, keeps_end: bool
) -> NDArray[np.int32]:
    """Return the number of tokens of each answer that a cut to `max_length` leaves."""
    if max_length is None:
        left = lengths - starts
    elif keeps_end:
        left = np.minimum(max_length, lengths - starts)
    else:
        left = np.maximum(np.minimum(max_length, lengths) - starts, 0)
    return left.astype(np.int32)


def token_ids(tokenizer: Any, conversations: Sequence[list[Any]], **options: Any) -> list[list[int]]:
    """Return the tokens of conversations by the chat template of the tokenizer."""
    texts = tokenizer.apply_chat_template(list(conversations), tokenize=False, **options)
    ids: list[list[int]] = tokenizer(texts, add_special_tokens=False, return_attention_mask=False)["input_ids"]
    return ids


def common_prefix(first: Sequence[int], second: Sequence[int]) -> int:
    """Return the number of tokens with which both begin."""
    if list(second[: len(first)]) == list(first):  # almost always, and fast
        return len(first)
    return sum(1 for _ in takewhile(bool, map(eq, first, second)))
