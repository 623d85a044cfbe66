"""Direct preference optimisation (DPO): the accepted answer is preferred to the rejected one, starting from SFT.

The hyper-parameters, `beta` among them, are in `config.py`, class `DpoConfig`.

The tokenizer, with its chat template and its added tokens, is that of the SFT (`tokenizer.py`).

The reference model must be the policy that DPO starts from; otherwise its KL term reverts the SFT:

| result of SFT | DPO trains | policy | reference |
|---|---|---|---|
| none | adapter or all weights | the student | TRL's default: adapter disabled, or the student's files again |
| adapter | adapter | the same adapter, continued | TRL's frozen copy of it, adapter "ref" |
| adapter | all weights | student with the adapter merged | a second merged copy |
| full model | adapter or all weights | the SFT model | TRL's default: adapter disabled, or the SFT files again |

DPO continues the SFT adapter. Merging it and training a second adapter would round the merged weights to bf16, and the
result would need its own base model. The continued adapter applies to the unchanged student.
"""

from pathlib import Path
from typing import Any

from skillmill.data.errors import ConfigError
from skillmill.train.config import TrainConfig
from skillmill.train.job import Job
from skillmill.train.result import MARKER, TrainResult, finished
from skillmill.train.run import run_job
from skillmill.train.student import model_arguments, peft_config, student_name
from skillmill.train.tokenizer import check_adapter_tokens, load_tokenizer
from skillmill.train.trl_arguments import trl_arguments


def train_dpo(config: TrainConfig, dataset_dir: Path, output_dir: Path, sft_dir: Path | None, seed: int) -> TrainResult:
    """Train on the configuration `preference` of the dataset; write the result to `output_dir`.

    `sft_dir` is the output folder of a finished `train_sft`; None starts from the student. A second identical call
    returns the recorded result. Raises `ConfigError`, `SkillmillError`.
    """
    return run_job(dpo_job(config, dataset_dir, output_dir, sft_dir, seed), dpo_trainer)


def dpo_job(config: TrainConfig, dataset_dir: Path, output_dir: Path, sft_dir: Path | None, seed: int) -> Job:
    """Return the job of `train_dpo`. Raises `ConfigError` if `train.dpo` is missing, or the result in `sft_dir`."""
    if config.dpo is None:
        raise ConfigError("train.dpo: missing, expected settings, {} for the defaults")
    return Job(
        stage="dpo",
        settings=config.dpo,
        student=config.student,
        dataset_dir=dataset_dir,
        configuration="preference",
        columns=("prompt", "chosen", "rejected"),
        output_dir=output_dir,
        seed=seed,
        start=_sft_result(sft_dir, config) if sft_dir else None,
    )


def dpo_trainer(job: Job, student: str, rows: Any) -> Any:
    """Return the `trl.DPOTrainer` of the job for a `datasets.Dataset` with the job's columns."""
    from trl import DPOConfig, DPOTrainer

    start = job.start
    tokenizer = load_tokenizer(job, student)
    if start is None or not start.adapter:
        return DPOTrainer(
            model=str(start.path) if start else student,
            args=trl_arguments(DPOConfig, job, model_init_kwargs=model_arguments(job.settings)),
            train_dataset=rows,
            processing_class=tokenizer,
            peft_config=peft_config(job.settings.lora),
        )
    # The models are loaded here, so `model_init_kwargs`, the arguments for loading them, are not passed to TRL.
    return DPOTrainer(
        model=_load_with_adapter(job, student, start.path, tokenizer),
        ref_model=None if job.settings.lora else _load_with_adapter(job, student, start.path, tokenizer),
        args=trl_arguments(DPOConfig, job, model_init_kwargs=None),
        train_dataset=rows,
        processing_class=tokenizer,
    )


def _sft_result(sft_dir: Path, config: TrainConfig) -> TrainResult:
    """Return the finished SFT in `sft_dir`. Raises `ConfigError` if there is none, or if it trained another student."""
    result = finished(sft_dir)
    if result is None:
        raise ConfigError(f"train.dpo: {sft_dir / MARKER} is missing, expected a finished SFT; run it first")
    if result.student != (student := student_name(config.student)):
        raise ConfigError(f"train.dpo: the SFT in {sft_dir} trained {result.student}, expected {student}")
    return result


def _load_with_adapter(job: Job, student: str, adapter: Path, tokenizer: Any) -> Any:
    """Return the student with its SFT adapter: a trainable `PeftModel`, or merged weights for full fine-tuning."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    check_adapter_tokens(student, tokenizer)
    model = AutoModelForCausalLM.from_pretrained(student, **model_arguments(job.settings))
    model = PeftModel.from_pretrained(model, str(adapter), is_trainable=job.settings.lora is not None)
    return model if job.settings.lora else model.merge_and_unload().requires_grad_(True)
