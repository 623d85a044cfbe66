"""The train steps: train the student on the export with one of the methods."""

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.flows.config import Config
from skillmill.flows.runtime.output_lock import hold_output
from skillmill.flows.runtime.remote_output import at_output, held_copy
from skillmill.flows.runtime.run_json import update_run_json
from skillmill.flows.runtime.workspace import open_workspace
from skillmill.teachers.build import close_engines
from skillmill.train.config import TrainConfig
from skillmill.train.processes import is_main_process

if TYPE_CHECKING:
    from skillmill.train.result import TrainResult

log = logging.getLogger(__name__)


def train_step(config: Config, method: str) -> Path:
    """Train the student with `method`, one of `STAGES`, on the exported dataset; return the folder of the result.

    Raises `ConfigError` if the configuration has no settings for the method, `SkillmillError` if there is no export.
    """
    # Of the processes of a training only the first one publishes; the others read its copy of a URL.
    with held_copy(config) if is_main_process() else nullcontext():
        return _train_and_record(config, method)


def _train_and_record(config: Config, method: str) -> Path:
    settings = config.train
    if settings is None or getattr(settings, method) is None:
        raise ConfigError(f"train.{method}: expected settings, such as {{args: {{max_steps: 20}}}}, found none")
    folder = config.output / "export"
    if getattr(settings, method).needs_export and not folder.exists():
        raise SkillmillError(f"train: {config.place(folder)} is not there, run `skillmill export` first")
    close_engines()
    result = _train(config, settings, method, folder)
    if not is_main_process():
        return result.path
    with open_workspace(config) as workspace:
        counts = {"rows": result.rows, "cut": result.cut, "left_out": result.left_out, "steps": result.steps}
        facts = {**counts, "losses": result.losses, "measure": result.measure, "held_out": result.held_out}
        update_run_json(workspace, {f"train_{method}": facts})
    done = f"{result.rows} rows{_lost(result)}, {result.steps} steps"
    log.info(f"train {method}: {done}{_measured(result)}, in {config.place(result.path)}")
    if settings.export and method == settings.stages[-1]:
        export_step(config)
    return result.path


@at_output
def experts_step(config: Config) -> Path:
    """Train and merge an adapter for each category of skills (`train/methods/experts.py`); return the merged adapter.

    Raises `ConfigError` if `train` is missing, or if there are no experts for its settings or rows.
    """
    if config.train is None:
        raise ConfigError("train: expected settings, such as {sft: {}}, found none")
    close_engines()
    from skillmill.train.methods.experts import train_experts  # imports torch, which takes seconds

    with hold_output(config.output, config.work):
        results, taxonomy = config.output / "train", config.output / "taxonomy.yaml"
        return train_experts(config.train, config.output / "export", results, config.seed, taxonomy)


@at_output
def export_step(config: Config, formats: Sequence[str] = ()) -> list[Path]:
    """Write the student of the last finished stage in the formats, or in those of `train.export`; return the paths.

    Raises `ConfigError` if there is no format, no finished training, or a format that does not apply.
    """
    settings = config.train
    wanted = list(dict.fromkeys(formats or (settings.export if settings else ())))
    if settings is None or not wanted:
        raise ConfigError("train.export: expected formats, such as [merged, gguf], found none")
    from skillmill.train.export.student import export_student  # imports torch, which takes seconds

    with hold_output(config.output, config.work):
        return export_student(settings, config.output / "train", wanted)


def _train(config: Config, settings: TrainConfig, method: str, folder: Path) -> "TrainResult":
    from skillmill.train.methods.dpo import train_dpo  # imports torch, which takes seconds
    from skillmill.train.methods.grpo import train_grpo
    from skillmill.train.methods.kto import train_kto
    from skillmill.train.methods.sft import train_sft

    sft_dir, result_dir = (config.output / "train" / settings.folder(stage) for stage in ("sft", method))
    if method == "sft":
        return train_sft(settings, folder, sft_dir, config.seed)
    trained = sft_dir if settings.sft is not None else None
    if method == "grpo":
        taxonomy = config.output / "taxonomy.yaml"
        return train_grpo(settings, folder, result_dir, trained, config.seed, taxonomy)
    return {"dpo": train_dpo, "kto": train_kto}[method](settings, folder, result_dir, trained, config.seed)


def _lost(result: "TrainResult") -> str:
    if result.cut is None:
        return ""
    return f" ({result.cut} answers cut, {result.left_out} rows left out by max_length)"


def _measured(result: "TrainResult") -> str:
    """Return the held-out loss or reward before and after the training, with what it was measured on, and the speed."""
    after = result.kept_measurement
    if not result.held_out or after is None:
        return ""
    before = result.held_out[0][1]
    chosen = "" if result.best_step is None else f" (step {result.best_step} is kept)"
    pace = f", {result.tokens_per_s:,.0f} tokens/s" if result.tokens_per_s else ""
    on = f"{result.measure} on {result.held_out_rows} {result.held_out_origin}"
    return f", {on} {before:.3f} before, {after[1]:.3f} after{chosen}{pace}"
