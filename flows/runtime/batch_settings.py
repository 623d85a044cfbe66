"""Which models of a run send their requests through a provider's batch API (`batch: true`), and what is open there."""

from collections.abc import Iterator
from pathlib import Path

from skillmill.flows.config import Config
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.engines.batch_api.record import BatchFolder
from skillmill.teachers.middleware.journal import unanswered


def batched_models(config: Config) -> list[TeacherConfig]:
    """Return the settings of the models whose requests go into batches."""
    return [model for model in (config.teacher, config.grader, config.pairs.student) if model and model.batch]


def without_batches(config: Config) -> Config:
    """Return the configuration with each request sent by itself, for a few rows that should be there at once."""
    changes = {
        "teacher": config.teacher.without_batches(),
        "grader": config.grader and config.grader.without_batches(),
        "pairs": config.pairs.model_copy(
            update={"student": config.pairs.student and config.pairs.student.without_batches()}
        ),
    }
    return config.model_copy(update=changes) if batched_models(config) else config


def unfinished_batches(work: Path) -> Iterator[tuple[str, list[str], int]]:
    """Yield the sections of the configuration that wait for batches, their batches and the number of requests.

    `work`: the folder of journal and batches. A batch is given by the provider's name, "" if it has none yet. Requests
    whose answers are journalled do not count. Raises `StoreError` if journal or batches cannot be read.
    """
    for path in sorted((work / "batches").glob("*")):
        folder = BatchFolder(path)
        left = [(each.batch_id, unanswered(work / "journal.sqlite", folder.keys(each))) for each in folder.records()]
        if requests := sum(len(keys) for _, keys in left):
            yield path.name, [name for name, keys in left if keys], requests
