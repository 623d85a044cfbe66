"""When the draft of a row may be its answer: filters reject the refined answer, and none rejects the draft."""

from skillmill.data.records import Sample
from skillmill.filters.rows.low_grade import LowGrade
from skillmill.skill_taxonomy.cells import SKILL_MIX, Cell


def has_draft(sample: Sample, cell: Cell) -> bool:
    """Return whether a sample, as its generator made it, has a draft that can be its answer.

    A reason of the generator means that there is no usable text. In a Skill-Mix row the explanation belongs to the
    final text.
    """
    return cell.kind != SKILL_MIX and not sample.reasons and bool(sample.draft and sample.draft.strip())


def passes_filters(sample: Sample) -> bool:
    """Return whether no filter rejects the sample. The grade does not count: it comes after the filters."""
    return not set(sample.reasons) - {LowGrade.reason}
