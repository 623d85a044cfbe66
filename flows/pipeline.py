"""The run, told twice: as plain calls, and as a Prefect flow whose tasks are the same calls.

One task per step, never per row: a Prefect task costs 7 to 90 ms, and a step is worth minutes.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from skillmill.data.errors import SkillmillError, TeacherError
from skillmill.flows import steps
from skillmill.flows.config import Config, load_config
from skillmill.flows.progress import say
from skillmill.flows.report import funnel_markdown

Step = Callable[..., Any]


def run(config: Config, step: Callable[[str, Step], Step] = lambda name, function: function) -> dict[str, Any]:
    """taxonomy → generate (with the row filters) → pairs → export → train → report.

    `step(name, function)` wraps each step, for Prefect. Returns where things lie. Raises `SkillmillError`
    after exporting, where the target was missed.
    """
    step("taxonomy", steps.taxonomy_step)(config)
    outcome = step("generate", steps.generate_step)(config)
    if config.pairs.sources and config.pairs.share > 0:
        step("pairs", steps.pairs_step)(config)
    funnel = step("export", steps.export_step)(config)
    trained = []
    if config.train is not None and not outcome.missed:
        for method in ("sft", "dpo"):
            if getattr(config.train, method) is not None:
                step(f"train-{method}", steps.train_step)(config, method)
                trained.append(config.output / "train" / method)
    report = step("report", steps.report_step)(config, "failed" if outcome.missed else "finished")
    if outcome.missed:
        raise SkillmillError(f"{outcome.missed}; what there is was exported to {config.output / 'export'}")
    return {
        "dataset": config.output / "export",
        "report": report,
        **{f"adapter ({path.name})": path for path in trained},
        "funnel": funnel.as_dict(),
    }


def run_with_prefect(config_path: Path, overrides: list[str]) -> dict[str, Any]:
    """The same as a Prefect flow run: its parameters are the path and the overrides, never a key."""
    from prefect import flow, task  # seconds to import, so only here
    from prefect.artifacts import create_markdown_artifact
    from prefect.cache_policies import NO_CACHE
    from prefect.client.schemas.objects import State, TaskRun
    from prefect.tasks import Task

    def world_failed(_: Task[..., Any], __: TaskRun, state: State[Any]) -> bool:
        # A bad configuration stays bad; a teacher that is away may come back.
        error = state.result(raise_on_failure=False)
        return isinstance(error, TeacherError)

    def as_task(name: str, function: Step) -> Step:
        return task(
            function,
            name=name,
            task_run_name=name,
            retries=2,
            retry_delay_seconds=5,
            retry_condition_fn=world_failed,
            cache_policy=NO_CACHE,  # the shards and the journal know what is done
        )

    config = load_config(config_path, overrides)

    @flow(name="skillmill-run", flow_run_name=config.name, log_prints=False)
    def skillmill_run(config_path: str, overrides: list[str]) -> dict[str, Any]:
        found = run(load_config(Path(config_path), overrides), as_task)
        create_markdown_artifact(funnel_markdown(found["funnel"]), key="funnel", description=f"Funnel of {config.name}")
        return found

    return skillmill_run(str(config_path), overrides)


def print_results(found: dict[str, Any]) -> None:
    for name, path in found.items():
        if isinstance(path, Path):
            print(f"{name:16} {path}")
    say("done")
