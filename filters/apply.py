"""Applies the row filters to a sample. The filters and what they give are derived from the configuration's fields."""

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
from skillmill.skill_taxonomy.cells import Cell


def apply_filters(sample: Sample, cell: Cell, config: FiltersConfig) -> Sample:
    """Return the sample with the reasons and signals of every enabled row filter added to its own.

    A sample without a response is returned unchanged if it has a reason: the teacher gave no usable reply. If the
    token limit was reached before the first word of the response, it is cut off, and no filter has a text to look at.
    """
    if sample.reasons and not sample.response:
        return sample
    if not sample.response.strip() and sample.finish_reason == "length":
        return sample.with_verdict([CutOff.reason], {})
    reasons: list[str] = []
    signals: dict[str, float] = {}
    for name in row_filters(type(config)):
        row_filter: RowFilter = getattr(config, name)
        if row_filter.applies_to(cell):
            verdict = row_filter.check(sample, cell)
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
