"""The run as plain calls; `prefect_run.py` runs the same calls as tasks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from skillmill.data.errors import SkillmillError
from skillmill.flows.config import Config
from skillmill.flows.runtime.progress import say
from skillmill.flows.steps.export import export_step
from skillmill.flows.steps.filter import filter_step
from skillmill.flows.steps.generate import generate_step
from skillmill.flows.steps.pairs import pairs_step
from skillmill.flows.steps.report import report_step
from skillmill.flows.steps.taxonomy import taxonomy_step
from skillmill.flows.steps.train import train_step
from skillmill.teachers.middleware.accounting import BudgetMet
from skillmill.train.job import check_train

Step = Callable[..., Any]
Results = dict[str, Path]


def _plain(name: str, function: Step) -> Step:
    return function


def run(
    config: Config,
    step: Callable[[str, Step], Step] = _plain,
    publish: Callable[[str, dict[str, Any]], None] = lambda name, funnel: None,
) -> Results:
    """Taxonomy → generate (with the row filters) → filter → pairs → export → train → report.

    `step(name, function)` wraps each step, `publish(name, funnel)` shows where the rows fell. Returns where
    things lie. Raises `SkillmillError`, after exporting what there is, where the target was missed. A budget that is
    met ends generation and pairs early, skips training, and is no error.
    """
    if config.train is not None:
        check_train(config.train, config.output / "train")
    try:
        step("taxonomy", taxonomy_step)(config)
    except BudgetMet as met:  # there is nothing to generate from yet
        say(f"taxonomy: {met}")
        return {}
    outcome = step("generate", generate_step)(config)
    step("filter", filter_step)(config, again=False)
    stopped = outcome.stopped
    if (config.pairs.sources and config.pairs.share > 0) or config.export.stress is not None:
        stopped = step("pairs", pairs_step)(config).stopped or stopped
    funnel = step("export", export_step)(config)
    publish(config.name, funnel.as_dict())
    found = {"dataset": config.output / "export"}
    if config.train is not None and not outcome.missed and not stopped:
        for method in ("sft", "dpo"):
            if getattr(config.train, method) is not None:
                step(f"train {method}", train_step)(config, method)
                found[f"{method} model"] = config.output / "train" / config.train.folder(method)
    status = "failed" if outcome.missed else "partial" if stopped else "finished"
    found["report"] = step("report", report_step)(config, status, outcome.missed or stopped)
    if outcome.missed:
        raise SkillmillError(f"{outcome.missed}; what there is was exported to {found['dataset']}")
    return found
