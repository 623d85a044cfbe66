"""The steps of a run as plain functions: each opens the workspace, does its part, leaves it on the disk.

Prefect's tasks call these and so does the command line: nothing here knows of Prefect.
"""

import asyncio
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.data.export import CardFacts, Funnel
from skillmill.data.export import export as write_export
from skillmill.filters.overrides import read_overrides
from skillmill.filters.safety import mask
from skillmill.flows.config import Config
from skillmill.flows.generate import Outcome, generate
from skillmill.flows.pairs import PairsOutcome, make_pairs, pairs_plan
from skillmill.flows.plan import Plan, changed_keys, make_plan
from skillmill.flows.predict import known_sizes, predict
from skillmill.flows.progress import Pace, Progress, say, ticking
from skillmill.flows.refilter import (
    Refiltered,
    load_rules,
    override,
    overrides_fingerprint,
    refilter,
    without_row,
)
from skillmill.flows.report import write_report
from skillmill.flows.workspace import Workspace, keep_usage, open_workspace, read_state, write_state
from skillmill.skill_taxonomy.asking import Curves
from skillmill.skill_taxonomy.context import read_context
from skillmill.skill_taxonomy.dataset import extract_from_dataset
from skillmill.skill_taxonomy.examples import read_examples, write_exemplars
from skillmill.skill_taxonomy.extract import extract
from skillmill.skill_taxonomy.sources import ASKED, builtin
from skillmill.skill_taxonomy.taxonomy import Taxonomy, load_taxonomy, save_taxonomy
from skillmill.teachers.accounting import BudgetMet
from skillmill.teachers.build import close_engines, open_teacher, teacher_name

EXEMPLARS = "taxonomy_examples.parquet"
"""Beside `taxonomy.yaml`: the examples of a dataset that it was made from, with the skills that each takes."""

VERSIONS = ("skillmill", "prefect", "datasets", "pyarrow", "xllamacpp")


def taxonomy_step(config: Config) -> Taxonomy:
    """The taxonomy of the run: the one that lies in `output_dir`, else made from its source and put there.

    Raises `BudgetMet` where the budget ends before the teacher has named it; its replies are in the journal.
    """
    path = config.output / "taxonomy.yaml"
    if path.exists():
        return load_taxonomy(path)
    source = config.taxonomy.source
    with open_workspace(config) as workspace:
        taxonomy = _extracted(workspace) if source in ASKED else configured_taxonomy(config)
        make_plan(config, taxonomy)  # complain before anything is written
        save_taxonomy(taxonomy, path)
        _remember(workspace, {})
    say(
        f"taxonomy: {len(taxonomy.skills)} skills, {len(taxonomy.topics)} topics, "
        f"{len(taxonomy.query_types)} query types from {source}, in {path}"
    )
    return taxonomy


def configured_taxonomy(config: Config) -> Taxonomy:
    """The taxonomy that lies in `output_dir` or that a file gives, without asking a teacher."""
    path, source = config.output / "taxonomy.yaml", config.taxonomy.source
    if path.exists():
        return load_taxonomy(path)
    if source.startswith("builtin:"):
        return builtin(source.removeprefix("builtin:"))
    if source in ASKED:
        raise ConfigError(f"taxonomy.source: {source} has not been asked yet, run `skillmill taxonomy extract` first")
    return load_taxonomy(Path(source))


def _extracted(workspace: Workspace) -> Taxonomy:
    """The taxonomy out of the teacher or a dataset, with its curves in `run.json`, however it ends."""
    curves = Curves()
    with Progress("taxonomy") as progress:
        pace = Pace(workspace.usage)

        def tick() -> None:
            asked = next(reversed(curves), None)
            so_far = f"{asked}: {curves[asked][-1][1]} from {curves[asked][-1][0]} answers" if asked else "starting"
            progress.line(f"{so_far}, {pace.text()}")
            keep_usage(workspace)

        news: dict[str, Any] = {}
        try:
            return asyncio.run(ticking(_extract(workspace, curves), tick))
        except BudgetMet as met:
            news = {"status": "partial", "reason": met.reason}
            raise
        finally:
            _remember(workspace, {**news, "taxonomy": {"curves": curves}})


async def _extract(workspace: Workspace, curves: Curves) -> Taxonomy:
    config, settings = workspace.config, workspace.config.taxonomy
    teacher_of_run = open_teacher(config.teacher, workspace.journal, workspace.usage)
    asked = (config.teacher.sampling, config.seed)
    if settings.source == "teacher":
        context = read_context(settings)  # complain before an engine starts
        async with teacher_of_run as teacher:
            return await extract(settings, teacher, *asked, context, curves.note)
    examples = await asyncio.to_thread(read_examples, settings, config.seed, config.work / "datasets")
    async with teacher_of_run as teacher:
        taxonomy, labelled = await extract_from_dataset(settings, examples, teacher, *asked, curves.note)
    write_exemplars(config.output / EXEMPLARS, examples, labelled)
    return taxonomy


def generate_step(config: Config) -> Outcome:
    """Generate and filter up to the target. What kept it from there (`missed`, `stopped`) is in the outcome."""
    plan = current_plan(config)
    with open_workspace(config) as workspace, Progress("generate") as progress:
        _announce(workspace, plan)
        _settle(workspace, plan)
        before = {shard.file: shard for shard in workspace.samples.of_plan(plan.fingerprint)}
        pace, seen, status = Pace(workspace.usage), Outcome(), "stopped"

        def report(outcome: Outcome) -> None:
            nonlocal seen
            seen = outcome
            pace.at((outcome.cells, outcome.samples_cap), (outcome.accepted, outcome.accepted_target))

        def tick() -> None:
            progress.line(f"{_so_far(seen)}, {pace.text()}")
            keep_usage(workspace)

        predicted = predict(known_sizes(config, plan), config)
        about = {"plan": plan.fingerprint, "plan_parts": plan.parts, "predicted": asdict(predicted)}
        _remember(workspace, {"status": "running", "reason": "", **about})
        try:
            outcome = asyncio.run(ticking(generate(workspace, plan, report), tick))
            seen = outcome
            status = "partial" if outcome.stopped else "failed" if outcome.missed else "generated"
        finally:
            _remember(workspace, {"status": status, "reason": seen.stopped or seen.missed})
        worked = {shard.file: shard for shard in workspace.samples.of_plan(plan.fingerprint)} != before
    say(f"generate: {_so_far(outcome)}" + ("" if worked or outcome.stopped else " (nothing left to do)"))
    if outcome.stopped:
        say(f"generate: {BudgetMet(outcome.stopped)}")
    return outcome


def filter_step(config: Config, again: bool = True) -> None:
    """Decide the stored rows again by the settings as they stand; `again` is False where only a change matters.

    No teacher is asked. Raises `SkillmillError` where there is no run yet.
    """
    plan = make_plan(config, _existing_taxonomy(config))
    with open_workspace(config) as workspace:
        if _settle(workspace, plan, again) is None:
            shards = workspace.samples.of_plan(plan.fingerprint)
            say(f"filter: {sum(shard.rows for shard in shards)} rows, all decided by these settings")
        _warn(workspace, plan)


def _settle(workspace: Workspace, plan: Plan, again: bool = False) -> Refiltered | None:
    """Decide the stored rows again where the filters or overrides are not those that they were decided by.

    None where nothing was to be done. While it is at work `run.json` names no rules, so that a kill half way is seen.
    """
    rules, key = load_rules(workspace.config), plan.fingerprint
    wanted, decided_by = rules.fingerprints(), _noted(workspace, "decided")
    stored = workspace.samples.of_plan(key)
    if not (stored and (again or decided_by.get(key) != wanted)):
        if decided_by.get(key) != wanted:
            _note(workspace, "decided", key, wanted)
        return None
    _note(workspace, "decided", key, {})
    found = asyncio.run(refilter(workspace, plan, rules))
    _note(workspace, "decided", key, wanted)
    _say_what_changed("filter", found)
    return found


def _say_what_changed(step: str, found: Refiltered) -> None:
    changed = f"{found.newly_accepted} now accepted, {found.newly_rejected} now rejected"
    share = f", {found.accepted} of {found.cells} cells accepted"
    say(f"{step}: {found.rows} rows decided again, {changed}{share}, {found.shards} shards rewritten")


def _warn(workspace: Workspace, plan: Plan) -> None:
    for line in without_row(workspace, plan, read_overrides(workspace.config.output)):
        say(f"warning: {line}")


def _noted(workspace: Workspace, what: str) -> dict[str, Any]:
    """What `run.json` says of each plan under `what`."""
    noted = read_state(workspace.config.output).get(what)
    return noted if isinstance(noted, dict) else {}


def _note(workspace: Workspace, what: str, plan: str, value: Any) -> None:
    _remember(workspace, {what: _noted(workspace, what) | {plan: value}})


def pairs_step(config: Config) -> PairsOutcome:
    """Make the preference pairs that are not there yet."""
    plan = current_plan(config)
    with open_workspace(config) as workspace, Progress("pairs") as progress:
        pace, outcome = Pace(workspace.usage), PairsOutcome()
        _drop_old_pairs(workspace, plan)

        def tick() -> None:
            progress.line(f"{outcome.rows} rows, {outcome.pairs} pairs, {pace.text()}")
            keep_usage(workspace)

        try:
            asyncio.run(ticking(make_pairs(workspace, plan, outcome), tick))
        finally:
            _remember(workspace, {"status": "partial", "reason": outcome.stopped} if outcome.stopped else {})
    lost = f", dropped {dict(sorted(outcome.dropped.items()))}" if outcome.dropped else ""
    say(f"pairs: {outcome.pairs} made from {', '.join(config.pairs.sources)}{lost}")
    if outcome.stopped:
        say(f"pairs: {BudgetMet(outcome.stopped)}")
    return outcome


def _drop_old_pairs(workspace: Workspace, plan: Plan) -> None:
    """Pairs belong to accepted rows: where those were decided again, pairs are made anew, from the journal."""
    name = pairs_plan(plan, workspace.config.pairs)
    decided_by = _noted(workspace, "decided").get(plan.fingerprint)
    if _noted(workspace, "paired").get(name) != decided_by:
        workspace.pairs.drop(name)
        _note(workspace, "paired", name, decided_by)


def _lay_overrides(workspace: Workspace, plan: Plan) -> None:
    """An export honours what a person said since the rows were decided; the filters' word stays as it is."""
    overrides, key = read_overrides(workspace.config.output), plan.fingerprint
    decided_by, wanted = _noted(workspace, "decided").get(key) or {}, overrides_fingerprint(overrides)
    if decided_by.get("overrides") == wanted or (not decided_by and not overrides.by_id):
        return
    _say_what_changed("export", asyncio.run(override(workspace, plan, overrides)))
    _note(workspace, "decided", key, decided_by | {"overrides": wanted})
    _warn(workspace, plan)


def export_step(config: Config) -> Funnel:
    """Write the dataset folder of the current plan; asks nothing of a teacher."""
    taxonomy = _existing_taxonomy(config)
    plan = make_plan(config, taxonomy)
    folder = config.output / "export"
    with open_workspace(config) as workspace:
        _lay_overrides(workspace, plan)
        facts = CardFacts(
            name=config.name,
            kind=config.generation.kind,
            teacher=teacher_name(config.teacher),
            taxonomy=f"{taxonomy.name}: {len(taxonomy.skills)} skills",
            plans=[plan.fingerprint],
            pair_plans=[pairs_plan(plan, config.pairs)],
        )
        hide = mask if config.filters.safety.enabled else str
        funnel, checksum = write_export(workspace.samples, workspace.pairs, folder, facts, hide)
        _remember(workspace, {"funnel": funnel.as_dict(), "export_sha256": checksum})
    say(f"export: {funnel.accepted_cells} sft rows, {funnel.pairs} pairs, {_rejected(funnel)} rejected, in {folder}")
    return funnel


def train_step(config: Config, method: str) -> Path:
    """Train the student with `sft` or `dpo` on the exported dataset; returns the folder of the result.

    Raises `SkillmillError` where there is nothing to train on.
    """
    settings = config.train
    if settings is None or getattr(settings, method) is None:
        raise ConfigError(f"train.{method}: expected settings, such as {{args: {{max_steps: 20}}}}, found none")
    folder = config.output / "export"
    if not folder.exists():
        raise SkillmillError(f"train: {folder} is not there, run `skillmill export` first")
    close_engines()
    from skillmill.train.dpo import train_dpo  # torch: seconds to import, so only here
    from skillmill.train.sft import train_sft

    sft_dir = config.output / "train" / "sft"
    if method == "sft":
        result = train_sft(settings, folder, sft_dir, config.seed)
    else:
        trained = sft_dir if settings.sft is not None else None
        result = train_dpo(settings, folder, config.output / "train" / "dpo", trained, config.seed)
    with open_workspace(config) as workspace:
        facts = {"rows": result.rows, "steps": result.steps, "losses": list(result.losses)}
        _remember(workspace, {f"train_{method}": facts})
    say(
        f"train {method}: {result.rows} rows, {result.steps} steps, loss "
        f"{result.first_loss:.3f} to {result.final_loss:.3f}, in {result.path}"
    )
    return result.path


def report_step(config: Config, status: str | None, reason: str = "") -> Path:
    """Write `report.html` and `run.json`, with its status where one is given."""
    plan = make_plan(config, _existing_taxonomy(config))
    with open_workspace(config) as workspace:
        _remember(workspace, {"status": status, "reason": reason} if status else {})
        return write_report(workspace, plan, read_state(config.output))


def current_plan(config: Config) -> Plan:
    """The plan of the taxonomy in `output_dir`, which is made first where there is none."""
    return make_plan(config, taxonomy_step(config))


def _existing_taxonomy(config: Config) -> Taxonomy:
    path = config.output / "taxonomy.yaml"
    if not path.exists():
        raise SkillmillError(f"{config.output} holds no run yet: run `skillmill run` or `skillmill generate` first")
    return load_taxonomy(path)


def _announce(workspace: Workspace, plan: Plan) -> None:
    state = read_state(workspace.config.output)
    changed = changed_keys(state.get("plan_parts"), plan)
    if changed:
        say(f"generate: changed since the last run: {', '.join(changed)}; plan {plan.fingerprint[:8]} starts beside it")


def _so_far(outcome: Outcome) -> str:
    cells = f"{outcome.cells} cells"
    if outcome.samples_cap is not None:
        cells = f"{outcome.cells} of {'at most ' if outcome.accepted_target else ''}{outcome.samples_cap} cells"
    target = f" of {outcome.accepted_target}" if outcome.accepted_target is not None else ""
    share = f" ({outcome.accepted / outcome.cells:.0%})" if outcome.cells else ""
    return f"{cells}, {outcome.accepted}{target} accepted{share}"


def _rejected(funnel: Funnel) -> int:
    return funnel.rows - funnel.accepted_rows


def _remember(workspace: Workspace, news: dict[str, Any]) -> None:
    """Lay `news` and what the run has cost so far over `run.json`."""
    config, usage = workspace.config, workspace.usage
    keep_usage(workspace)
    state = read_state(config.output)
    configuration = config.model_dump(mode="json")
    for block in ("teacher", "grader"):
        if configuration[block]:
            configuration[block]["headers"] = dict.fromkeys(configuration[block]["headers"], "[hidden]")
    state |= {
        "status": state.get("status", "running"),
        "configuration": configuration,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in VERSIONS}},
        "usage": usage.as_dict(),
        "totals": {**asdict(usage.total()), "tokens": usage.tokens, "money": usage.money, "wall_s": usage.wall_s},
        **news,
    }
    write_state(config.output, state)
