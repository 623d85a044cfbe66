"""Supervised fine-tuning on the accepted answers: loss on the completion only, with LoRA by default.

The method is that of Instruct-SkillMix (arXiv 2408.14774). The hyper-parameters are in `config.py`, class `SftConfig`.
"""

from pathlib import Path
from typing import Any

from skillmill.data.errors import ConfigError
from skillmill.train.config import TrainConfig
from skillmill.train.job import Job
from skillmill.train.result import TrainResult
from skillmill.train.rows.config import LOSS
from skillmill.train.rows.methods import COLUMNS
from skillmill.train.run import run_job
from skillmill.train.student import model_arguments, peft_config
from skillmill.train.tokenizer import check_added_tokens, load_tokenizer
from skillmill.train.tokens.difficulty import easiest_first
from skillmill.train.tokens.prepared import SKIPPED, prepared
from skillmill.train.trl_arguments import trl_arguments


def train_sft(config: TrainConfig, dataset_dir: Path, output_dir: Path, seed: int) -> TrainResult:
    """Train the student on the configuration `train.sft.dataset` of the dataset; write the result to `output_dir`.

    A second identical call returns the recorded result. Raises `ConfigError`, `SkillmillError`.
    """
    return run_job(sft_job(config, dataset_dir, output_dir, seed), sft_trainer)


def sft_job(config: TrainConfig, dataset_dir: Path, output_dir: Path, seed: int) -> Job:
    """Return the job of `train_sft`. Raises `ConfigError` if `train.sft` is missing."""
    if config.sft is None:
        raise ConfigError("train.sft: missing, expected settings, {} for the defaults")
    return Job(
        stage="sft",
        settings=config.sft,
        student=config.student,
        dataset_dir=dataset_dir,
        configuration=config.sft.dataset,
        columns=COLUMNS["sft"],
        output_dir=output_dir,
        seed=seed,
    )


def sft_trainer(job: Job, student: str, rows: Any, held_out: Any | None) -> Any:
    """Return the `trl.SFTTrainer` of the job for two `datasets.Dataset` with the job's columns.

    Its attribute `row_sizes` has the `Sizes` of the rows, None if TRL made their tokens itself.
    """
    from trl import SFTConfig, SFTTrainer

    tokenizer = load_tokenizer(job, student)
    check_added_tokens(job, student, tokenizer)
    args = trl_arguments(SFTConfig, job, model_init_kwargs=model_arguments(job.settings))
    made = prepared(rows, tokenizer, args)
    if made is not None:
        measured = held_out and prepared(held_out, tokenizer, args)
        rows, held_out = made.dataset, measured and measured.dataset
        args.dataset_kwargs = None if args.packing else SKIPPED
    trainer = SFTTrainer(
        model=student,
        args=args,
        train_dataset=rows,
        eval_dataset=held_out,
        processing_class=tokenizer,
        peft_config=peft_config(job.settings.lora),
    )
    if job.settings.order == LOSS:
        trainer.train_dataset = easiest_first(trainer)
    trainer.row_sizes = made and made.sizes
    return trainer
