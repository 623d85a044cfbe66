"""Decide one row: row filters, user-defined filters, grading and overrides."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from skillmill.data.files import store_errors
from skillmill.data.reasons import NOT_GRADED
from skillmill.data.records import GradingRow, Sample, SampleRow, completion
from skillmill.filters.apply import apply_filters, apply_grade, undecided
from skillmill.filters.config import FiltersConfig
from skillmill.filters.contamination.ngram_index import with_index
from skillmill.filters.custom import CustomFilter, custom_reasons, load_custom
from skillmill.filters.grading.failures import decide_ungraded
from skillmill.filters.grading.grade import grade, should_grade, without_grade
from skillmill.filters.keep_draft import has_draft, passes_filters
from skillmill.filters.overrides import Overrides, read_overrides
from skillmill.filters.rows.safety import masker
from skillmill.flows.config import Config
from skillmill.flows.rows.grading import GradingSetup
from skillmill.flows.runtime.filter_workers import FilterWorkers
from skillmill.skill_taxonomy.cells import Cell


@dataclass(frozen=True)
class Rules:
    """Everything that decides a row beside its grading: filters, user-defined filters and overrides."""

    filters: FiltersConfig
    custom: tuple[CustomFilter, ...] = ()
    overrides: Overrides = field(default_factory=Overrides)
    keep_draft: bool = True
    """Whether the draft of a row is its answer if filters reject the refined answer and none rejects the draft."""
    workers: FilterWorkers | None = None
    """What applies the filters beside the event loop; None applies them in it."""

    def fingerprints(self) -> dict[str, str]:
        """Return the fingerprints of the filters and of the overrides, which `run.json` records.

        The first covers the filters' settings, `generation.keep`, a calibrated shirker model, the evaluation sets and
        the source of user-defined filters.
        """
        filters = hashlib.sha256(self.filters.model_dump_json().encode())
        if model := self.filters.shirker.model:
            with store_errors(f"filters.shirker.model: cannot read {model}"):
                filters.update(model.read_bytes())
        if index := self.filters.contamination.index:
            filters.update(index.name.encode())  # the name is a fingerprint of the sets' contents
        if not self.keep_draft:
            filters.update(b"keep: final")
        for custom in self.custom:
            filters.update(custom.source)
        return {"filters": filters.hexdigest()[:16], "overrides": overrides_fingerprint(self.overrides)}


def overrides_fingerprint(overrides: Overrides) -> str:
    """Return 16 hex digits over the ids and verdicts of the overrides; notes do not count."""
    verdicts = sorted((override.id, override.verdict) for override in overrides.by_id.values())
    return hashlib.sha256(orjson.dumps(verdicts)).hexdigest()[:16]


def load_rules(config: Config, work: Path | None = None) -> Rules:
    """Load the rules of a configuration; the index of the evaluation sets is stored in `work`, by default `work_dir`.

    Raises `ConfigError` if a user-defined filter cannot be imported, an evaluation set cannot be read or
    `overrides.jsonl` has a bad line.
    """
    filters = config.filters
    contamination = with_index(filters.contamination, (work or config.work) / "contamination")
    indexed = filters.model_copy(update={"contamination": contamination})
    return rules_of(config, indexed, read_overrides(config.output))


def rules_of(config: Config, filters: FiltersConfig, overrides: Overrides) -> Rules:
    """Return the rules of a configuration by filters whose indexes are there. Raises as `load_rules` does."""
    custom = load_custom(filters.custom, filters.folder)
    return Rules(filters, custom, overrides, keep_draft=config.generation.keep == "passing")


async def decide(
    sample: Sample,
    row: SampleRow,
    cell: Cell,
    rules: Rules,
    grading: GradingSetup | None = None,
    replies: Mapping[int, str] | None = None,
) -> tuple[SampleRow, list[GradingRow]]:
    """Return `row` with reasons, signals, grade and verdict by `rules`, and the gradings behind its grade.

    Raises `SkillmillError` if a row gets no grade and `grading.on_failure` is stop.

    Args:
        sample: The row's sample. Reasons and signals of filters and overrides in it are dropped first, so that a
            stored row is decided as a fresh one.
        row: The row of the sample; only the decided columns change, and those of answer and draft if the answer is to
            be the other one of the two, see `filters/keep_draft.py`.
        cell: The row's cell.
        rules: The rules to decide by.
        grading: How to grade the row. A row is graded if every filter accepts it, user-defined filters included;
            overrides do not matter. None keeps the grade of the row, or that it got none.
        replies: Known replies of the grader by run, which are not requested again.
    """
    not_graded = grading is None and NOT_GRADED in sample.reasons
    decided = await _filtered(sample, row, cell, rules, keeps_grade=grading is None)
    if decided.kept != sample.kept:  # grade and replies are those of the other answer
        replies, not_graded = None, False
    gradings: list[GradingRow] = []
    if grading and should_grade(decided, grading.config):
        graded, raw = await grade(decided, cell, grading.grader, replies)
        grading.warning.add(raw)
        decided = apply_grade(graded, cell, rules.filters)
        if graded.grade is None:
            decided = decide_ungraded(decided, raw, row["id"], grading.config.failure_rule)
        gradings = [each.as_row(row["id"]) for each in raw]
    elif not_graded and decided.accepted:
        decided = decided.with_verdict([NOT_GRADED], {})
    return rules.overrides.apply(_with_decision(row, decided)), gradings


async def _filtered(sample: Sample, row: SampleRow, cell: Cell, rules: Rules, keeps_grade: bool) -> Sample:
    """Return the sample with the verdicts of all filters: with the refined answer, or with the draft if only it passes.

    `keeps_grade`: the answer that the stored grade belongs to keeps it.
    """

    async def apply(answer: Sample) -> Sample:
        answer = answer if keeps_grade and answer.kept == sample.kept else without_grade(answer)
        if rules.workers is None:
            decided = apply_filters(answer, cell, rules.filters)
        else:
            decided = await rules.workers.apply(answer, cell)
        if rules.custom and decided.response:
            reasons = await custom_reasons(rules.custom, rules.overrides.apply(_with_decision(row, decided)))
            mask = masker(rules.filters.safety)  # a reason may quote the answer
            decided = decided.with_verdict(map(mask, reasons), {})
        return decided

    refined = undecided(sample)
    decided = await apply(refined)
    if not rules.keep_draft or passes_filters(decided) or not has_draft(refined, cell):
        return decided
    with_draft = await apply(refined.exchanged())
    return with_draft if passes_filters(with_draft) else decided


def _with_decision(row: SampleRow, sample: Sample) -> SampleRow:
    return {
        **row,
        "completion": completion(sample),
        "draft": sample.draft,
        "kept": sample.kept,
        "finish_reason": sample.finish_reason,
        "draft_finish_reason": sample.draft_finish_reason,
        "thinking": sample.thinking,
        "draft_thinking": sample.draft_thinking,
        "reasons": [str(reason) for reason in sample.reasons],
        "signals": sorted(sample.signals.items()),
        "grade": sample.grade,
        "grader": sample.grader,
    }
