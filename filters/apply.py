"""All row filters over one sample: every reason is kept, none stops the others."""

from dataclasses import replace
from typing import Any

from skillmill.data.reasons import CUSTOM, Reason
from skillmill.data.records import Sample
from skillmill.filters.config import FiltersConfig
from skillmill.filters.contamination.matching import contamination
from skillmill.filters.rows import form, leak, substance
from skillmill.filters.rows import no_request as request
from skillmill.filters.rows.critique_residue import critique_residue
from skillmill.filters.rows.language import language
from skillmill.filters.rows.low_grade import low_grade
from skillmill.filters.rows.missing_material import missing_material
from skillmill.filters.rows.safety import safety
from skillmill.filters.shirker.model import shirker
from skillmill.filters.verdict import Filter, Verdict
from skillmill.skill_taxonomy.cells import Cell

FILTERS: dict[str, Filter] = {
    "empty": form.empty,
    "too_short": form.too_short,
    "too_long": form.too_long,
    "too_many_sentences": form.too_many_sentences,
    "language": language,
    "no_request": request.no_request,
    "missing_material": missing_material,
    "refusal": substance.refusal,
    "cut_off": form.cut_off,
    "repetition": substance.repetition,
    "echo": substance.echo,
    "critique_residue": critique_residue,
    "skill_named": leak.skill_named,
    "meta_talk": leak.meta_talk,
    "prompt_fragment": leak.prompt_fragment,
    "safety": safety,
    "shirker": shirker,
    "contamination": contamination,
    "low_grade": low_grade,
}
"""By the name of their section in `FiltersConfig`."""


ENGLISH_ONLY = frozenset({"no_request", "missing_material", "shirker"})
"""Filters that would take other languages for faults. The rest look for English words and find none there, or count."""


def apply_filters(sample: Sample, cell: Cell, config: FiltersConfig) -> Sample:
    """The sample with the reasons and signals of every enabled filter added to its own.

    A sample without an answer (the teacher's reply could not be used) is left as it is: its reason is known.
    """
    if sample.reasons and not sample.response:
        return sample
    for name, check in FILTERS.items():
        options: Any = getattr(config, name)
        if options.enabled and (cell.english or name not in ENGLISH_ONLY):
            said = check(sample, cell, options)
            sample = sample.with_verdict(said.reasons, said.signals)
    return sample


def apply_grade(sample: Sample, cell: Cell, config: FiltersConfig) -> Sample:
    """The sample with what `low_grade`, which looks at nothing but a grade, says of the one that it has now."""
    said = low_grade(sample, cell, config.low_grade) if config.low_grade.enabled else Verdict()
    return sample.with_verdict(said.reasons, said.signals)


def undecided(sample: Sample) -> Sample:
    """The sample as its generator left it: without the reasons and signals of filters or of a person."""
    if not sample.reasons and not sample.signals:
        return sample
    reasons = tuple(why for why in sample.reasons if why not in DECIDED and not why.startswith(CUSTOM))
    signals = {name: value for name, value in sample.signals.items() if name.partition(":")[0] not in SIGNALS}
    return replace(sample, reasons=reasons, signals=signals)


REASONS: dict[str, Reason] = {name: Reason(name) for name in FILTERS}
"""Each filter gives one reason, which bears its name."""

CORPUS_REASONS = (Reason.DUPLICATE, Reason.NEAR_DUPLICATE, Reason.SEMANTIC_DUPLICATE)

DECIDED = frozenset({*REASONS.values(), *CORPUS_REASONS, Reason.OVERRIDE})
"""The reasons that filters and persons give; all others are a generator's own."""

SIGNALS = frozenset(
    "words instruction_words sentences repeated_4grams repeated_sentences repeated_openings compression "
    "instruction_overlap placeholders skills_named prompt_runs personal_data shirker_score language "
    "evaluation_ngrams evaluation_place evaluation_words skills_shown grade_share ungraded "
    "duplicate_of_index duplicate_of_plan duplicate_instruction duplicate_response".split()
)
"""The signals that filters give, by what stands before a ":"; all others are a generator's own."""
