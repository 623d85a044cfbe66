"""All row filters over one sample: every reason is kept, none stops the others."""

from dataclasses import replace
from typing import Any

from skillmill.data.reasons import CUSTOM, Reason
from skillmill.data.records import Sample
from skillmill.filters import form, leak, request, substance
from skillmill.filters.config import FiltersConfig
from skillmill.filters.safety import safety
from skillmill.filters.shirker import shirker
from skillmill.filters.verdict import Filter
from skillmill.skill_taxonomy.cells import Cell

FILTERS: dict[str, Filter] = {
    "empty": form.empty,
    "too_short": form.too_short,
    "too_many_sentences": form.too_many_sentences,
    "no_request": request.no_request,
    "refusal": substance.refusal,
    "cut_off": form.cut_off,
    "repetition": substance.repetition,
    "echo": substance.echo,
    "critique_residue": substance.critique_residue,
    "skill_named": leak.skill_named,
    "meta_talk": leak.meta_talk,
    "prompt_fragment": leak.prompt_fragment,
    "safety": safety,
    "shirker": shirker,
}
"""By the name of their section in `FiltersConfig`."""


def apply_filters(sample: Sample, cell: Cell, config: FiltersConfig) -> Sample:
    """The sample with the reasons and signals of every enabled filter added to its own.

    A sample without an answer (the teacher's reply could not be used) is left as it is: its reason is known.
    """
    if sample.reasons and not sample.response:
        return sample
    for name, check in FILTERS.items():
        options: Any = getattr(config, name)
        if options.enabled:
            said = check(sample, cell, options)
            sample = sample.with_verdict(said.reasons, said.signals)
    return sample


def undecided(sample: Sample) -> Sample:
    """The sample as its generator left it: without the reasons and signals of filters or of a person."""
    filters = {*REASONS.values(), Reason.OVERRIDE}
    reasons = tuple(why for why in sample.reasons if why not in filters and not why.startswith(CUSTOM))
    return replace(sample, reasons=reasons, signals={k: v for k, v in sample.signals.items() if k not in SIGNALS})


REASONS: dict[str, Reason] = {name: Reason(name) for name in FILTERS}
"""Each filter gives one reason, which bears its name."""

SIGNALS = frozenset(
    "words instruction_words sentences repeated_4grams repeated_sentences repeated_openings compression "
    "instruction_overlap placeholders skills_named prompt_runs personal_data shirker_score".split()
)
"""The signals that filters give; all others are a generator's own."""
