"""A training job: dataset, student and settings in, a finished folder out; its fingerprint and its description."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from skillmill.train.config import CHECKPOINT_ARGS, StageConfig
from skillmill.train.result import TrainResult
from skillmill.train.student import student_fingerprint, student_name


@dataclass(frozen=True)
class Job:
    """The input of one training.

    `stage`: one of `config.STAGES`. `student`: see `TrainConfig`. `dataset_dir` is an exported dataset; the job reads
    `columns` of its `configuration`. `start`: the finished training whose weights this job continues, None to start
    from the student.
    """

    stage: str
    settings: StageConfig
    student: str | None
    dataset_dir: Path
    configuration: str
    columns: tuple[str, ...]
    output_dir: Path
    seed: int
    start: TrainResult | None = None


def job_fingerprint(job: Job, dataset_sha256: str) -> str:
    """Return a SHA-256 over everything that determines the trained weights, except the machine."""
    facts = {
        "stage": job.stage,
        "lora": job.settings.lora.model_dump() if job.settings.lora else None,
        "args": _args_of_the_weights(job.settings),
        "seed": job.seed,
        "held_out": job.settings.held_out,
        "select": job.settings.select,
        "rewards": getattr(job.settings, "rewards", None),
        "dataset": dataset_sha256,
        "student": student_fingerprint(job.student),
        "start": job.start.fingerprint if job.start else None,
    }
    return hashlib.sha256(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS, default=str)).hexdigest()


def _args_of_the_weights(settings: StageConfig) -> dict[str, Any]:
    """Return the arguments that determine the trained weights, which the checkpoints do not."""
    args = {key: value for key, value in settings.trl_args().items() if key not in CHECKPOINT_ARGS}
    return {**args, "save_strategy": "no"}  # the fingerprints of earlier versions contain it


def job_details(job: Job, dataset_sha256: str) -> dict[str, Any]:
    """Return the facts for model card and `train.json` that are not in the result, without names of local folders."""
    is_local = job.student is not None and Path(job.student).expanduser().is_dir()
    return {
        "base_model": None if is_local else student_name(job.student),
        "dataset": {
            "folder": job.dataset_dir.name if job.settings.needs_export else None,
            "configuration": job.configuration if job.settings.needs_export else None,
            "sha256": dataset_sha256,
        },
        "rows": job.settings.described_rows(),
        "lora": job.settings.lora.model_dump() if job.settings.lora else None,
        "args": job.settings.trl_args(),
        "seed": job.seed,
        "start": f"the {job.start.stage} result {job.start.fingerprint[:16]}" if job.start else "the base model",
    }
