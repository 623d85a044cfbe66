"""The model and reference model of a method that can start from an SFT: DPO, KTO and GRPO.

The tokenizer, with its chat template and its added tokens, is that of the SFT (`tokenizer.py`).

The reference model must be the policy that the training starts from; otherwise its KL term reverts the SFT:

| result of SFT | trained now | policy | reference |
|---|---|---|---|
| none | adapter or all weights | the student | TRL's default: adapter disabled, or the student's files again |
| adapter | adapter | the same adapter, continued | TRL's frozen copy of it, adapter "ref" |
| adapter | all weights | student with the adapter merged | a second merged copy |
| full model | adapter or all weights | the SFT model | TRL's default: adapter disabled, or the SFT files again |

The SFT adapter is continued. Merging it and training a second adapter would round the merged weights to bf16, and the
result would need its own base model. The continued adapter applies to the unchanged student.
"""

from pathlib import Path
from typing import Any

from skillmill.data.errors import ConfigError
from skillmill.train.config import StageConfig, TrainConfig
from skillmill.train.job import Job
from skillmill.train.result import MARKER, TrainResult, finished
from skillmill.train.rows.methods import COLUMNS, CONFIGURATIONS
from skillmill.train.student import model_arguments, peft_config, student_name
from skillmill.train.tokenizer import check_adapter_tokens, load_tokenizer
from skillmill.train.trl_arguments import trl_arguments


def continued_job(
    config: TrainConfig, stage: str, dataset_dir: Path, output_dir: Path, sft_dir: Path | None, seed: int
) -> Job:
    """Return the job of a stage that starts from the SFT in `sft_dir`, or from the student if it is None.

    Raises `ConfigError` if the stage has no settings, or if `sft_dir` has no result of this student.
    """
    settings: StageConfig | None = getattr(config, stage)
    if settings is None:
        raise ConfigError(f"train.{stage}: missing, expected settings, {{}} for the defaults")
    return Job(
        stage=stage,
        settings=settings,
        student=config.student,
        dataset_dir=dataset_dir,
        configuration=CONFIGURATIONS[stage],
        columns=COLUMNS[stage],
        output_dir=output_dir,
        seed=seed,
        start=_sft_result(stage, sft_dir, config) if sft_dir else None,
    )


def continued_arguments(
    job: Job, student: str, rows: Any, held_out: Any | None, config_class: Any, has_reference: bool = True
) -> dict[str, Any]:
    """Return the arguments of a TRL trainer for the job, with model, tokenizer and rows.

    `config_class`: the class of the trainer's arguments. `has_reference`: whether the trainer takes a `ref_model`.
    """
    start = job.start
    tokenizer = load_tokenizer(job, student)
    shared = {"train_dataset": rows, "eval_dataset": held_out, "processing_class": tokenizer}
    if start is None or not start.adapter:
        return {
            **shared,
            "model": str(start.path) if start else student,
            "args": trl_arguments(config_class, job, model_init_kwargs=model_arguments(job.settings)),
            "peft_config": peft_config(job.settings.lora),
        }
    # The models are loaded here, so `model_init_kwargs`, the arguments for loading them, are not passed to TRL.
    model = _load_with_adapter(job, student, start.path, tokenizer)
    merged = has_reference and job.settings.lora is None
    reference = {"ref_model": _load_with_adapter(job, student, start.path, tokenizer)} if merged else {}
    return {**shared, **reference, "model": model, "args": trl_arguments(config_class, job, model_init_kwargs=None)}


def _sft_result(stage: str, sft_dir: Path, config: TrainConfig) -> TrainResult:
    """Return the finished SFT in `sft_dir`. Raises `ConfigError` if there is none, or if it trained another student."""
    result = finished(sft_dir)
    if result is None:
        raise ConfigError(f"train.{stage}: {sft_dir / MARKER} is missing, expected a finished SFT; run it first")
    if result.student != (student := student_name(config.student)):
        raise ConfigError(f"train.{stage}: the SFT in {sft_dir} trained {result.student}, expected {student}")
    return result


def _load_with_adapter(job: Job, student: str, adapter: Path, tokenizer: Any) -> Any:
    """Return the student with its SFT adapter: a trainable `PeftModel`, or merged weights for full fine-tuning."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    check_adapter_tokens(job.stage, student, tokenizer)
    model = AutoModelForCausalLM.from_pretrained(student, **model_arguments(job.settings))
    model = PeftModel.from_pretrained(model, str(adapter), is_trainable=job.settings.lora is not None)
    return model if job.settings.lora else model.merge_and_unload().requires_grad_(True)
