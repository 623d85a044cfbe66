"""The train steps: train the student on the export with SFT or DPO."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.flows.config import Config
from skillmill.flows.runtime.run_json import update_run_json
from skillmill.flows.runtime.workspace import open_workspace
from skillmill.teachers.build import close_engines

if TYPE_CHECKING:
    from skillmill.train.result import TrainResult

log = logging.getLogger(__name__)


def train_step(config: Config, method: str) -> Path:
    """Train the student with `method`, "sft" or "dpo", on the exported dataset; return the folder of the result.

    Raises `ConfigError` if the configuration has no settings for the method, `SkillmillError` if there is no export.
    """
    settings = config.train
    if settings is None or getattr(settings, method) is None:
        raise ConfigError(f"train.{method}: expected settings, such as {{args: {{max_steps: 20}}}}, found none")
    folder = config.output / "export"
    if not folder.exists():
        raise SkillmillError(f"train: {folder} is not there, run `skillmill export` first")
    close_engines()
    from skillmill.train.dpo import train_dpo  # imports torch, which takes seconds
    from skillmill.train.sft import train_sft

    sft_dir, dpo_dir = (config.output / "train" / settings.folder(stage) for stage in ("sft", "dpo"))
    if method == "sft":
        result = train_sft(settings, folder, sft_dir, config.seed)
    else:
        trained = sft_dir if settings.sft is not None else None
        result = train_dpo(settings, folder, dpo_dir, trained, config.seed)
    with open_workspace(config) as workspace:
        counts = {"rows": result.rows, "cut": result.cut, "left_out": result.left_out, "steps": result.steps}
        facts = {**counts, "losses": list(result.losses)}
        update_run_json(workspace, {f"train_{method}": facts})
    log.info(
        f"train {method}: {result.rows} rows{_lost(result)}, {result.steps} steps, loss "
        f"{result.first_loss:.3f} to {result.final_loss:.3f}, in {result.path}"
    )
    return result.path


def _lost(result: "TrainResult") -> str:
    if result.cut is None:
        return ""
    return f" ({result.cut} answers cut, {result.left_out} rows left out by max_length)"
