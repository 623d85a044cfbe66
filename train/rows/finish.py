"""The last changes to the rows of a training, after rows were set aside to measure on: order, phases and prompts."""

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skillmill.data.errors import ConfigError
from skillmill.data.inputs.datasets import plain_text
from skillmill.data.records import Message
from skillmill.train.job import Job
from skillmill.train.rows.config import LOSS, Markers

BUFFER_ROWS = 1000
"""The number of rows of a stream from which the next row is drawn at random."""
PHASE = "phase"
"""The column with the number of a row's phase, from 0."""


def finished_rows(job: Job, rows: Any) -> Any:
    """Return the rows to train on, a `datasets.Dataset`, in their order and with their final prompts.

    It is a `datasets.IterableDataset` with `streaming`. Rows that are read lazily are shuffled within `BUFFER_ROWS`.
    Raises `ConfigError` if no row has a value in a column that order or markers name.
    """
    settings = job.settings
    if settings.is_lazy:
        rows = rows.shuffle(seed=job.seed, buffer_size=BUFFER_ROWS)
        changed = rows.map(lambda row: {"prompt": changed_prompt(row, job)}) if settings.changes_prompts else rows
        return changed.select_columns(list(job.columns))
    _check_columns(job, rows)
    order = training_order(job, rows)
    if settings.changes_prompts:
        rows = rows.map(lambda row: {"prompt": changed_prompt(row, job)}, load_from_cache_file=False)
    rows = (rows if order is None else rows.select(order)).select_columns(list(job.columns))
    if not settings.streaming:
        return rows
    return (rows.shuffle(seed=job.seed) if order is None else rows).to_iterable_dataset()


def training_order(job: Job, rows: Any) -> NDArray[np.int64] | None:
    """Return the places of the rows in the order of the training, with the repetitions of phases; None for any order.

    Within a phase, rows with equal values of `order` are in random order, and rows without a value come last.
    """
    settings = job.settings
    if not settings.is_ordered or settings.order == LOSS:  # the trainer orders by loss, which needs the student
        return None
    random = np.random.default_rng(job.seed)
    values = _values(rows, settings.order)
    phase_of = np.array(rows[PHASE]) if settings.phases else np.zeros(len(rows), np.int64)
    passes: list[NDArray[np.int64]] = []
    for number in range(len(settings.groups)):
        phase = settings.phases[number] if settings.phases else None
        own, earlier = np.flatnonzero(phase_of == number), np.flatnonzero(phase_of < number)
        for _ in range(phase.epochs if phase else 1):
            again = rehearsed(earlier, phase.rehearsal if phase else 0.0, random)
            shuffled = random.permutation(np.concatenate([own, again]))
            passes.append(shuffled[np.argsort(values[shuffled], kind="stable")])
    return np.concatenate(passes)


def rehearsed(earlier: NDArray[np.int64], share: float, random: np.random.Generator) -> NDArray[np.int64]:
    """Return a share of the rows of earlier phases, at least one row if the share is more than 0."""
    count = max(1, round(share * len(earlier))) if share and len(earlier) else 0
    return random.choice(earlier, count, replace=False)


def changed_prompt(row: dict[str, Any], job: Job) -> list[Message]:
    """Return the prompt of a row with its markers, or with empty turns of the user."""
    prompt: list[Message] = row["prompt"]
    if job.settings.response_only:
        return [{**message, "content": ""} if message["role"] == "user" else message for message in prompt]
    markers = job.settings.markers
    assert markers is not None
    last = max((place for place, message in enumerate(prompt) if message["role"] == "user"), default=-1)
    text = " ".join(drawn_markers(row, markers, job.seed))
    if last < 0 or not text:
        return prompt
    marked: Message = {**prompt[last], "content": f"{prompt[last]['content']}\n\n{text}"}
    return [*prompt[:last], marked, *prompt[last + 1 :]]


def drawn_markers(row: dict[str, Any], markers: Markers, seed: int) -> list[str]:
    """Return the markers of a row that the seed and its prompt do not leave out."""
    prompt = " ".join(message["content"] for message in row["prompt"])
    if _chance(seed, prompt) >= markers.rows:
        return []
    texts = {column: _marker_text(row[column]) for column in markers.columns}
    kept = (column for column, text in texts.items() if text and _chance(seed, prompt, column) >= markers.dropout)
    return [f"[{column.replace('_', ' ')}: {texts[column]}]" for column in kept]


def _marker_text(value: object) -> str:
    return ", ".join(map(plain_text, value)) if isinstance(value, list) else " ".join(plain_text(value).split())


def _chance(*parts: object) -> float:
    """Return a number from 0 to 1, without 1, that depends on the parts alone."""
    digest = hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=6).digest()
    return int.from_bytes(digest) / 2**48


def _values(rows: Any, column: str | None) -> NDArray[np.float64]:
    if column is None:
        return np.zeros(len(rows))
    return np.array([np.inf if value is None else value for value in rows[column]], np.float64)


def _check_columns(job: Job, rows: Any) -> None:
    named: Iterable[tuple[str, str]] = [
        *([(job.settings.order, "order")] if job.settings.order not in (None, LOSS) else []),
        *((column, "markers.columns") for column in (job.settings.markers.columns if job.settings.markers else ())),
    ]
    for column, key in named:
        if all(value is None for value in rows[column]):
            raise ConfigError(f"train.{job.stage}.{key}: no row has a value in the column {column!r}")
