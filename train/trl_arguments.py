"""Arguments of TRL's trainers: the configured ones over our defaults, checked against those of TRL."""

import dataclasses
import difflib
from typing import Any

from skillmill.data.errors import ConfigError
from skillmill.data.terminal import shows_progress
from skillmill.train.checkpoints import checkpoint_folder
from skillmill.train.config import TEMPLATE, StageConfig
from skillmill.train.job import Job
from skillmill.train.machine import machine_arguments
from skillmill.train.presets import template_file

TRAINERS = {
    "sft": ("SFTTrainer", "SFTConfig"),
    "dpo": ("DPOTrainer", "DPOConfig"),
    "kto": ("KTOTrainer", "KTOConfig"),
    "grpo": ("GRPOTrainer", "GRPOConfig"),
}
"""The classes of TRL for each stage: its trainer, and the arguments of that."""


def trl_classes(stage: str) -> tuple[Any, Any]:
    """Return TRL's trainer of a stage and the class of its arguments."""
    import trl

    trainer, config = TRAINERS[stage]
    return getattr(trl, trainer), getattr(trl, config)


def trl_arguments(config_class: Any, job: Job, **overrides: Any) -> Any:
    """Return a `config_class` (such as `trl.SFTConfig`) for the job, with the job's folder for checkpoints.

    Raises `ConfigError` with the key `train.<stage>.args.<key>` for an unknown argument or an invalid value.
    """
    prefix = f"train.{job.stage}.args"
    fields = known_arguments(config_class, job.stage, job.settings)
    settings = job.settings.trl_args()
    batch = "num_generations" if "num_generations" in fields else "per_device_train_batch_size"
    measured = {"per_device_eval_batch_size": settings.get(batch, fields[batch].default)}
    arguments = {**machine_arguments(), "seed": job.seed, **measured, **settings, **overrides}
    for key, value in arguments.items():
        # YAML reads 2e-4 as a string, because its floats need a decimal point.
        if isinstance(value, str) and isinstance(fields[key].default, float):
            try:
                arguments[key] = float(value)
            except ValueError:
                raise ConfigError(f"{prefix}.{key}: expected a number, got {value!r}") from None
    if TEMPLATE in arguments and arguments[TEMPLATE] is not None:
        arguments[TEMPLATE] = template_file(str(arguments[TEMPLATE]))
    try:
        folder = str(checkpoint_folder(job.output_dir))
        return config_class(output_dir=folder, disable_tqdm=not shows_progress(), **arguments)
    except (TypeError, ValueError, ImportError) as error:
        raise ConfigError(f"{prefix}: {one_line(error)}") from error


def known_arguments(config_class: Any, stage: str, settings: StageConfig) -> dict[str, dataclasses.Field[Any]]:
    """Return the fields of `config_class` by name. Raises `ConfigError` if `settings.args` has another key."""
    fields = {field.name: field for field in dataclasses.fields(config_class) if field.init}
    for key in settings.args:
        if key not in fields:
            near = difflib.get_close_matches(key, fields, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f"train.{stage}.args.{key}: is no argument of trl.{config_class.__name__}{hint}")
    return fields


def one_line(error: BaseException) -> str:
    """Return the message of an error with all whitespace as single spaces."""
    return " ".join(str(error).split())
