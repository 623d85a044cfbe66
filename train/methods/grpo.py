"""Group relative policy optimisation (GRPO, arXiv 2402.03300) with rewards by rules instead of a judge.

The student answers each prompt several times, and the answers with more reward than their group's mean become likelier.
Rewards are reported to teach combinations of skills that fine-tuning does not reach (arXiv 2509.25123). The
hyper-parameters and the weights of the rewards are in `config.py`, class `GrpoConfig`; the rewards in `rewards.py`.
"""

from pathlib import Path
from typing import Any

from skillmill.train.config import GrpoConfig, TrainConfig
from skillmill.train.job import Job
from skillmill.train.methods.continued import continued_arguments, continued_job
from skillmill.train.methods.rewards import reward_functions
from skillmill.train.result import TrainResult
from skillmill.train.run import run_job
from skillmill.train.tokens.conversations import BATCH


def train_grpo(
    config: TrainConfig, dataset_dir: Path, output_dir: Path, sft_dir: Path | None, seed: int, taxonomy: Path
) -> TrainResult:
    """Train on the prompts of the configuration `sft`; arguments and errors are those of `train_dpo`.

    `taxonomy`: the file with the skills of the rows, whose rules decide the rewards.
    """
    job = continued_job(config, "grpo", dataset_dir, output_dir, sft_dir, seed)

    def trainer(job: Job, student: str, rows: Any, held_out: Any | None) -> Any:
        return grpo_trainer(job, student, rows, held_out, taxonomy)

    return run_job(job, trainer)


def grpo_trainer(job: Job, student: str, rows: Any, held_out: Any | None, taxonomy: Path) -> Any:
    """Return the `trl.GRPOTrainer` of the job. Raises `ConfigError` if no reward applies to the rows."""
    from trl import GRPOConfig, GRPOTrainer

    assert isinstance(job.settings, GrpoConfig)
    functions = reward_functions(job.settings.rewards, taxonomy, used_skills(rows))
    arguments = continued_arguments(job, student, rows, held_out, GRPOConfig, has_reference=False)
    arguments["args"].reward_weights = [job.settings.rewards[name] for name in functions]
    return GRPOTrainer(reward_funcs=list(functions.values()), **arguments)


def used_skills(rows: Any) -> set[str]:
    """Return the names of the skills of a `datasets.Dataset` with a column `skills`, whose values may be null."""
    batches = rows.select_columns("skills").iter(BATCH)
    return {name for batch in batches for names in batch["skills"] for name in names or ()}
