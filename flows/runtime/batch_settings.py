"""Which models of a run send their requests through a provider's batch API (`batch: true`), and what is open there."""

from collections.abc import Iterator
from pathlib import Path

from skillmill.flows.config import Config
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.engines.batch_api.record import BatchRecord, read_records


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


def unfinished_batches(work: Path) -> Iterator[tuple[str, list[BatchRecord]]]:
    """Yield the sections of the configuration with unfinished batches, given `work_dir`, and their records."""
    for folder in sorted((work / "batches").glob("*")):
        if records := sorted(read_records(folder), key=lambda record: record.created):
            yield folder.name, records
