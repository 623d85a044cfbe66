"""Applies the row filters to a sample. The filters and what they give are derived from the configuration's fields."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

from skillmill.data.reasons import (
    COMMON_REASONS,
    CUSTOM,
    DUPLICATE,
    NEAR_DUPLICATE,
    NOT_GRADED,
    OVERRIDE,
    SEMANTIC_DUPLICATE,
)
from skillmill.data.records import Sample
from skillmill.filters.config import FiltersConfig
from skillmill.filters.dedup.options import NearDuplicates
from skillmill.filters.options import RowFilter
from skillmill.filters.rows.cut_off import CutOff
from skillmill.filters.verdict import Verdict
from skillmill.skill_taxonomy.cells import Cell


def apply_filters(sample: Sample, cell: Cell, config: FiltersConfig) -> Sample:
    """Return the sample with the reasons and signals of every enabled row filter added to its own."""
    return apply_filters_to([(sample, cell)], config)[0]


def apply_filters_to(rows: Sequence[tuple[Sample, Cell]], config: FiltersConfig) -> list[Sample]:
    """Return samples as `apply_filters` does, in less time than one after another.

    A sample without a response is returned unchanged if it has a reason: the teacher gave no usable reply. If the
    token limit was reached before the first word of the response, it is cut off, and no filter has a text to look at.
    """
    filters: dict[str, RowFilter]
    filters = {name: each for name in row_filters(type(config)) if (each := getattr(config, name)).enabled}
    texts = [place for place, (sample, _) in enumerate(rows) if _without_text(sample) is None]
    known: dict[str, dict[int, Verdict]] = {}
    for name, row_filter in filters.items():
        places = [place for place in texts if row_filter.applies_to(rows[place][1])]
        verdicts = row_filter.check_many([rows[place] for place in places]) if places else None
        if verdicts is not None:
            known[name] = dict(zip(places, verdicts, strict=True))
    return [
        _without_text(sample)
        or _decided(sample, cell, filters, {name: of[place] for name, of in known.items() if place in of})
        for place, (sample, cell) in enumerate(rows)
    ]


def _without_text(sample: Sample) -> Sample | None:
    """Return the decided sample if it has no text to look at, None if it has."""
    if sample.reasons and not sample.response:
        return sample
    if not sample.response.strip() and sample.finish_reason == "length":
        return sample.with_verdict([CutOff.reason], {})
    return None


def _decided(sample: Sample, cell: Cell, filters: Mapping[str, RowFilter], known: Mapping[str, Verdict]) -> Sample:
    """Return the sample with the verdicts of all filters; those in `known` have been called."""
    reasons: list[str] = []
    signals: dict[str, float] = {}
    for name, row_filter in filters.items():
        if row_filter.applies_to(cell):
            verdict = known[name] if name in known else row_filter.check(sample, cell)
            reasons += verdict.reasons
            signals |= verdict.signals
    return sample.with_verdict(reasons, signals)


def apply_grade(sample: Sample, cell: Cell, config: FiltersConfig) -> Sample:
    """Return the sample with the verdict of the filter `low_grade` added, which reads the sample's grade alone."""
    if not config.low_grade.enabled:
        return sample
    verdict = config.low_grade.check(sample, cell)
    return sample.with_verdict(verdict.reasons, verdict.signals)


def undecided(sample: Sample, config: type[FiltersConfig] = FiltersConfig) -> Sample:
    """Return the sample as its generator made it: without reasons and signals of filters, refined answer first."""
    if sample.kept:
        sample = sample.exchanged()
    if not sample.reasons and not sample.signals:
        return sample
    decided = decided_reasons(config)
    reasons = tuple(reason for reason in sample.reasons if reason not in decided and not reason.startswith(CUSTOM))
    known = signal_names(config)
    signals = {name: value for name, value in sample.signals.items() if name.partition(":")[0] not in known}
    return replace(sample, reasons=reasons, signals=signals)


@cache
def row_filters(config: type[FiltersConfig] = FiltersConfig) -> dict[str, type[RowFilter]]:
    """Return the row filters of a configuration by the names of their fields, in the order in which they run."""
    types = {name: field.annotation for name, field in config.model_fields.items()}
    return {name: kind for name, kind in types.items() if isinstance(kind, type) and issubclass(kind, RowFilter)}


@cache
def decided_reasons(config: type[FiltersConfig] = FiltersConfig) -> frozenset[str]:
    """Return the reasons that filters, grading and overrides give; generators give all others."""
    own = (row_filter.reason for row_filter in row_filters(config).values())
    return frozenset({*own, DUPLICATE, NEAR_DUPLICATE, SEMANTIC_DUPLICATE, NOT_GRADED, OVERRIDE})


@cache
def signal_names(config: type[FiltersConfig] = FiltersConfig) -> frozenset[str]:
    """Return the names of the signals that filters give, up to a ":"; generators give all others."""
    own = (name for row_filter in row_filters(config).values() for name in row_filter.signals)
    return frozenset({*own, *NearDuplicates.signals})


def explanation_of(reason: str, config: type[FiltersConfig] = FiltersConfig) -> str:
    """Return the sentence that explains a stored reason to people, "" for an unknown reason."""
    if reason.startswith(CUSTOM):
        return "a filter of your own said so"
    return _explanations(config).get(reason, "")


@cache
def _explanations(config: type[FiltersConfig]) -> dict[str, str]:
    own = (row_filter.reason for row_filter in row_filters(config).values())
    return {reason: reason.explanation for reason in (*own, *COMMON_REASONS)}
