"""Direct preference optimisation: the accepted answer over a shirked one, starting from the SFT result.

The reference must be the policy that DPO starts from, else its KL term pulls the SFT back out:

| SFT left | DPO trains | policy | reference |
|---|---|---|---|
| nothing | adapter or all | the student | TRL's own: adapter off, or the student's files again |
| adapter | adapter | the same adapter, trained on | TRL's frozen copy of it, adapter "ref" |
| adapter | all | student with the adapter merged | a second merged copy |
| full model | adapter or all | the SFT model | TRL's own: adapter off, or the SFT files again |

An adapter is continued, not merged and topped by a second one: merging rounds it to the student's bf16,
and the result would need a base of its own beside it. Continued, it stands on the plain student.
"""

from pathlib import Path
from typing import Any

from skillmill.data.errors import ConfigError
from skillmill.train.config import TrainConfig
from skillmill.train.job import Job, load_rows, model_arguments, peft_config, run_job, trl_arguments
from skillmill.train.result import MARKER, TrainResult, finished
from skillmill.train.student import student_name


def train_dpo(config: TrainConfig, dataset_dir: Path, output_dir: Path, sft_dir: Path | None, seed: int) -> TrainResult:
    """Train on the configuration `preference` of the dataset folder; leaves the weights in `output_dir`.

    `sft_dir` is a finished `train_sft`; None starts from the student. A second identical call gives the
    recorded result. Raises `ConfigError`, `SkillmillError`.
    """
    if config.dpo is None:
        raise ConfigError("train.dpo: missing, expected settings, {} for the defaults")
    job = Job(
        stage="dpo",
        settings=config.dpo,
        student=config.student,
        dataset_dir=dataset_dir,
        configuration="preference",
        columns=("prompt", "chosen", "rejected"),
        output_dir=output_dir,
        seed=seed,
        start=_start(sft_dir, config) if sft_dir else None,
    )
    return run_job(job, dpo_trainer)


def dpo_trainer(job: Job, student: str, work: Path) -> Any:
    """The `trl.DPOTrainer` of the job, ready to train."""
    from transformers import AutoTokenizer
    from trl import DPOConfig, DPOTrainer

    start = job.start
    rows = load_rows(job, work)
    if start is None or not start.adapter:
        return DPOTrainer(
            model=str(start.path) if start else student,
            args=trl_arguments(DPOConfig, job, work, model_init_kwargs=model_arguments(job)),
            train_dataset=rows,
            peft_config=peft_config(job.settings.lora),
        )
    # TRL is given models here, so that the arguments which load them must not reach it a second time.
    return DPOTrainer(
        model=_with_adapter(job, student, start.path),
        ref_model=None if job.settings.lora else _with_adapter(job, student, start.path),
        args=trl_arguments(DPOConfig, job, work, model_init_kwargs=None),
        train_dataset=rows,
        processing_class=AutoTokenizer.from_pretrained(student),
    )


def _start(sft_dir: Path, config: TrainConfig) -> TrainResult:
    """The finished SFT in `sft_dir`, on the student that DPO is about to train."""
    start = finished(sft_dir)
    if start is None:
        raise ConfigError(f"train.dpo: {sft_dir / MARKER} is missing, expected a finished SFT; run it first")
    if start.student != (student := student_name(config.student)):
        raise ConfigError(f"train.dpo: the SFT in {sft_dir} trained {start.student}, expected {student}")
    return start


def _with_adapter(job: Job, student: str, adapter: Path) -> Any:
    """The student under its SFT adapter: a trainable `PeftModel`, or merged for full fine-tuning."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(student, **model_arguments(job))
    model = PeftModel.from_pretrained(model, str(adapter), is_trainable=job.settings.lora is not None)
    return model if job.settings.lora else model.merge_and_unload().requires_grad_(True)
