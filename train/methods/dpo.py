"""Direct preference optimisation (DPO): the accepted answer is preferred to the rejected one.

The hyper-parameters, `beta` among them, are in `config.py`, class `DpoConfig`.
"""

from pathlib import Path
from typing import Any

from skillmill.train.config import TrainConfig
from skillmill.train.job import Job
from skillmill.train.methods.continued import continued_arguments, continued_job
from skillmill.train.result import TrainResult
from skillmill.train.run import run_job
from skillmill.train.tokens.preferences import in_batches


def train_dpo(config: TrainConfig, dataset_dir: Path, output_dir: Path, sft_dir: Path | None, seed: int) -> TrainResult:
    """Train on the configuration `preference` of the dataset; write the result to `output_dir`.

    `sft_dir` is the output folder of a finished `train_sft`; None starts from the student. A second identical call
    returns the recorded result. Raises `ConfigError`, `SkillmillError`.
    """
    return run_job(continued_job(config, "dpo", dataset_dir, output_dir, sft_dir, seed), dpo_trainer)


def dpo_trainer(job: Job, student: str, rows: Any, held_out: Any | None) -> Any:
    """Return the `trl.DPOTrainer` of the job for two `datasets.Dataset` with the job's columns."""
    from trl import DPOConfig, DPOTrainer

    return in_batches(DPOTrainer)(**continued_arguments(job, student, rows, held_out, DPOConfig))
