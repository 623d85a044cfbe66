"""All row filters over one sample: every reason is kept, none stops the others."""

from typing import Any

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.filters import form, leak, request, substance
from skillmill.filters.config import FiltersConfig
from skillmill.filters.shirker import shirker
from skillmill.filters.verdict import Filter, Verdict
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


def judge(sample: Sample, cell: Cell, config: FiltersConfig) -> Verdict:
    """What the enabled filters alone say, the sample's own reasons aside: to decide stored rows again."""
    fresh = Sample(
        instruction=sample.instruction,
        response=sample.response,
        draft=sample.draft,
        finish_reason=sample.finish_reason,
    )
    judged = apply_filters(fresh, cell, config)
    return Verdict(judged.reasons, judged.signals)


REASONS: dict[str, Reason] = {name: Reason(name) for name in FILTERS}
"""Each filter gives one reason, which bears its name."""
