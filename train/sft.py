"""Supervised fine-tuning on the accepted answers: loss on the completion, LoRA by default (papers 3.8)."""

from pathlib import Path
from typing import Any

from skillmill.data.errors import ConfigError
from skillmill.train.config import TrainConfig
from skillmill.train.job import Job, load_rows, model_arguments, peft_config, run_job, trl_arguments
from skillmill.train.result import TrainResult


def train_sft(config: TrainConfig, dataset_dir: Path, output_dir: Path, seed: int) -> TrainResult:
    """Train the student on `train.sft.dataset` of the dataset folder; leaves the weights in `output_dir`.

    A second identical call gives the recorded result. Raises `ConfigError`, `SkillmillError`.
    """
    if config.sft is None:
        raise ConfigError("train.sft: missing, expected settings, {} for the defaults")
    job = Job(
        stage="sft",
        settings=config.sft,
        student=config.student,
        dataset_dir=dataset_dir,
        configuration=config.sft.dataset,
        columns=("prompt", "completion"),
        output_dir=output_dir,
        seed=seed,
    )
    return run_job(job, sft_trainer)


def sft_trainer(job: Job, student: str, work: Path) -> Any:
    """The `trl.SFTTrainer` of the job, ready to train."""
    from trl import SFTConfig, SFTTrainer

    return SFTTrainer(
        model=student,
        args=trl_arguments(SFTConfig, job, work, model_init_kwargs=model_arguments(job)),
        train_dataset=load_rows(job, work),
        peft_config=peft_config(job.settings.lora),
    )
