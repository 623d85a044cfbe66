"""Kahneman-Tversky optimisation (KTO, arXiv 2402.01306): accepted answers are made likelier, rejected ones less likely.

It takes single answers with a label instead of pairs, so that rejected rows without a pair train the student too. The
hyper-parameters are in `config.py`, class `KtoConfig`.
"""

from pathlib import Path
from typing import Any

from skillmill.data.errors import SkillmillError
from skillmill.train.config import TrainConfig
from skillmill.train.job import Job
from skillmill.train.methods.continued import continued_arguments, continued_job
from skillmill.train.result import TrainResult
from skillmill.train.rows.methods import LABEL
from skillmill.train.run import run_job
from skillmill.train.tokens.preferences import in_batches


def train_kto(config: TrainConfig, dataset_dir: Path, output_dir: Path, sft_dir: Path | None, seed: int) -> TrainResult:
    """Train on the accepted and rejected rows of the dataset; arguments and errors are those of `train_dpo`."""
    return run_job(continued_job(config, "kto", dataset_dir, output_dir, sft_dir, seed), kto_trainer)


def kto_trainer(job: Job, student: str, rows: Any, held_out: Any | None) -> Any:
    """Return the `trl.KTOTrainer` of the job. Raises `SkillmillError` if all rows have the same label.

    The rows are shuffled here: TRL estimates the KL term from the answers of a batch, for which it has to read the
    rows in their order, and that of the export has the accepted rows first.
    """
    from trl import KTOConfig, KTOTrainer

    if hasattr(rows, "__len__") and len(labels := set(rows[LABEL])) == 1:
        absent = "rejected" if labels == {True} else "accepted"
        raise SkillmillError(f"train.kto: the dataset has no {absent} rows, and KTO needs both; train.dpo takes pairs")
    return in_batches(KTOTrainer)(**continued_arguments(job, student, rows.shuffle(seed=job.seed), held_out, KTOConfig))
