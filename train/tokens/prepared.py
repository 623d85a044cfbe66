"""The rows of a training in the form in which a TRL trainer takes them without a preparation of its own.

TRL prepares each row alone, which takes minutes on 100,000 rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from skillmill.train.rows.methods import LABEL
from skillmill.train.tokens.conversations import BATCH, Conversations, Sizes, conversations

Tokenise = Callable[[dict[str, list[Any]]], dict[str, list[Any]]]

IGNORED = -100
"""The label of a token that is not learnt."""
SKIPPED = {"skip_prepare_dataset": True}
"""The value of TRL's argument `dataset_kwargs` for rows that need no preparation."""


@dataclass(frozen=True)
class Prepared:
    """Rows with their tokens, a `datasets.Dataset`, without those of which no answer is left.

    `sizes`: the tokens of all rows before anything was cut.
    """

    dataset: Any
    sizes: Sizes


def prepared(rows: Any, tokenizer: Any, args: Any) -> Prepared | None:
    """Return rows with `input_ids` and `labels` for a `trl.SFTConfig`, None if TRL has to prepare them itself.

    For packing nothing is cut or left out; TRL packs the rows, and needs no other preparation. TRL masks by its own
    means, gives a template with new tokens to the student, and says what is wrong if no answer is left.
    """
    template = args.chat_template_path
    if args.assistant_only_loss or args.dataset_kwargs or not hasattr(rows, "__len__"):
        return None
    if not tokenizer.is_fast or (template and not Path(template).is_file()):
        return None
    if template:
        tokenizer.chat_template = Path(template).read_text(encoding="utf-8")
    keeps_end, answer_only = args.truncation_mode == "keep_end", args.completion_only_loss is not False
    if args.packing:
        return with_labels(rows, tokenizer, None, False, answer_only)
    made = with_labels(rows, tokenizer, args.max_length, keeps_end, answer_only)
    if args.shuffle_dataset:
        made = Prepared(made.dataset.shuffle(seed=args.seed), made.sizes)
    return made if len(made.dataset) else None


def with_labels(rows: Any, tokenizer: Any, max_length: int | None, keeps_end: bool, answer_only: bool) -> Prepared:
    """Return the rows of a `datasets.Dataset` with `prompt` and `completion` as TRL's SFT prepares them.

    `max_length`: the most tokens of a conversation, None for any number; `keeps_end` keeps the last instead of the
    first ones. `answer_only`: only the tokens of the answer are learnt.
    """
    kept = slice(-max_length, None) if max_length and keeps_end else slice(None, max_length)

    def tokenise(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        made = conversations(batch, tokenizer, ["completion"])
        (whole,) = made.whole
        labels = [
            [*[IGNORED] * start, *ids[start:]] if answer_only else ids
            for start, ids in zip(made.starts, whole, strict=True)
        ]
        cut = {"input_ids": [ids[kept] for ids in whole], "labels": [each[kept] for each in labels]}
        return {**cut, **sizes_in_lists(made)}

    tokens = mapped(rows, tokenise, ["input_ids", "labels"])
    if answer_only and max_length is not None:
        return where(tokens, tokens.sizes.left(max_length, keeps_end).max(axis=1) > 0)
    return tokens


def mapped(rows: Any, tokenise: Tokenise, columns: Sequence[str]) -> Prepared:
    """Return rows with the columns of tokens that `tokenise` makes of each batch of a `datasets.Dataset`.

    It also makes the columns `start` and `length` for the sizes. Columns of texts are left out.
    """
    from datasets import Features, List, Value

    tokens, number = List(Value("int32")), Value("int32")
    kept = {name: of_column for name, of_column in rows.features.items() if name == LABEL}
    features = Features({**kept, **dict.fromkeys(columns, tokens), "start": number, "length": tokens})
    made = rows.map(
        tokenise,
        batched=True,
        batch_size=BATCH,
        remove_columns=[name for name in rows.column_names if name not in kept],
        features=features,
        load_from_cache_file=False,
    )
    starts, lengths = made.data.column("start"), pc.list_flatten(made.data.column("length"))
    sizes = Sizes(starts.to_numpy(), lengths.to_numpy().reshape(len(made), -1))
    return Prepared(made.select_columns([*kept, *columns]), sizes)


def sizes_in_lists(made: Conversations) -> dict[str, list[Any]]:
    """Return the columns `start` and `length` of a batch."""
    return {"start": made.starts, "length": [list(map(len, of_row)) for of_row in zip(*made.whole, strict=True)]}


def where(made: Prepared, chosen: NDArray[np.bool_]) -> Prepared:
    """Return the chosen rows, with the sizes of all."""
    return made if chosen.all() else Prepared(made.dataset.select(np.flatnonzero(chosen)), made.sizes)
