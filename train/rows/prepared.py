"""The rows of a training in the form in which a TRL trainer takes them without a preparation of its own.

TRL prepares each row alone, which takes minutes on 100,000 rows.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from skillmill.train.rows.tokens import BATCH, Sizes, conversations

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
        return {
            "input_ids": [ids[kept] for ids in whole],
            "labels": [each[kept] for each in labels],
            "start": made.starts,
            "length": [[len(ids)] for ids in whole],
        }

    dataset, sizes = _mapped(rows, tokenise, ["input_ids", "labels"])
    if answer_only and max_length is not None:
        dataset = _where(dataset, sizes.left(max_length, keeps_end).max(axis=1) > 0)
    return Prepared(dataset, sizes)


def _mapped(rows: Any, tokenise: Any, columns: list[str]) -> tuple[Any, Sizes]:
    """Return the columns of tokens that `tokenise` makes of each batch, and the sizes that it makes beside them."""
    from datasets import Features, List, Value

    tokens, number = List(Value("int32")), Value("int32")
    features = Features({**dict.fromkeys(columns, tokens), "start": number, "length": tokens})
    made = rows.map(
        tokenise,
        batched=True,
        batch_size=BATCH,
        remove_columns=rows.column_names,
        features=features,
        load_from_cache_file=False,
    )
    starts, lengths = made.data.column("start"), pc.list_flatten(made.data.column("length"))
    sizes = Sizes(starts.to_numpy(), lengths.to_numpy().reshape(len(made), -1))
    return made.select_columns(columns), sizes


def _where(dataset: Any, chosen: NDArray[np.bool_]) -> Any:
    """Return the chosen rows of a dataset, which is returned itself if they are all its rows."""
    return dataset if chosen.all() else dataset.select(np.flatnonzero(chosen))
