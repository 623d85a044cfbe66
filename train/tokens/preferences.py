"""DPO and KTO with tokens that are made in batches.

TRL's trainers for preferences make the tokens of each row alone, and take no rows that have tokens already.
"""

from typing import Any

from skillmill.train.tokens.conversations import BATCH, conversations
from skillmill.train.tokens.prepared import Prepared, mapped, sizes_in_lists, where

COMPARED = 16
"""The number of rows that TRL prepares too, to find out whether this version of it makes other tokens."""


def in_batches(trainer_class: type[Any]) -> type[Any]:
    """Return a subclass of `trl.DPOTrainer` or `trl.KTOTrainer` that makes the tokens of its rows in batches.

    Its attribute `row_sizes` has the `Sizes` of the rows to train on, None if TRL made their tokens itself. TRL does if
    the tokenizer is one in Python, if no row has room for an answer, or if TRL makes other tokens of the first rows:
    its method is not part of its documented interface.
    """

    class InBatches(trainer_class):  # type: ignore[misc]
        row_sizes = None

        def _prepare_dataset(self, dataset: Any, processing_class: Any, args: Any, dataset_name: str) -> Any:
            by_trl = super()._prepare_dataset
            given = (processing_class, args, dataset_name)
            if not hasattr(dataset, "__len__") or not getattr(processing_class, "is_fast", False):
                return by_trl(dataset, *given)
            is_kto, kl = "completion" in dataset.column_names, getattr(self, "calculate_KL", False)
            answers = ["completion"] if is_kto else ["chosen", "rejected"]

            def ours(rows: Any) -> Prepared:
                made = with_ids(rows, processing_class, answers)
                if args.max_length is not None and getattr(args, "truncation_mode", None) != "keep_end":
                    made = where(made, made.sizes.starts < args.max_length)
                size = args.per_device_train_batch_size
                return Prepared(with_kl(made.dataset, size), made.sizes) if kl and len(made.dataset) else made

            first = dataset.select(range(min(COMPARED, len(dataset))))
            if not _has(by_trl(first, *given), ours(first).dataset):
                return by_trl(dataset, *given)
            made = ours(dataset)
            if not len(made.dataset):
                return by_trl(dataset, *given)
            if dataset_name == "train":
                self.row_sizes = made.sizes
            return made.dataset

    InBatches.__name__ = trainer_class.__name__  # it is part of TRL's messages
    return InBatches


def with_ids(rows: Any, tokenizer: Any, answers: list[str]) -> Prepared:
    """Return the tokens of a `datasets.Dataset` with a prompt and `answers`: `prompt_ids`, `chosen_ids` and so on.

    Nothing is cut, because TRL cuts the rows of a batch. A column `label` is kept.
    """
    columns = [f"{name}_ids" for name in answers]

    def tokenise(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        made = conversations(batch, tokenizer, answers)
        prompts = [ids[:start] for start, ids in zip(made.starts, made.whole[0], strict=True)]
        ids_of = [[ids[start:] for start, ids in zip(made.starts, of_column, strict=True)] for of_column in made.whole]
        return {"prompt_ids": prompts, **dict(zip(columns, ids_of, strict=True)), **sizes_in_lists(made)}

    return mapped(rows, tokenise, ["prompt_ids", *columns])


def with_kl(rows: Any, size: int) -> Any:
    """Return the rows of KTO with `KL_completion_ids`: in each batch of `size` rows the answer of the row before.

    The first row has the answer of the last one. TRL estimates the KL term from such pairs.
    """

    def rotate(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        ids = batch["completion_ids"]
        batches = [ids[start : start + size] for start in range(0, len(ids), size)]
        return {"KL_completion_ids": [each for one in batches for each in [one[-1], *one[:-1]]]}

    whole_batches = max(1, BATCH // size) * size
    return rows.map(rotate, batched=True, batch_size=whole_batches, load_from_cache_file=False)


def _has(rows: Any, expected: Any) -> bool:
    """Return whether rows have the columns of the expected ones with the same values."""
    if not set(expected.column_names) <= set(rows.column_names):
        return False
    return bool(rows.select_columns(expected.column_names).to_list() == expected.to_list())
