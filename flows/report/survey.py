"""The survey of a plan's rows for a report: counts, and the rows with the lowest indices as examples."""

from dataclasses import dataclass, field

from skillmill.data.export.funnel import Funnel
from skillmill.data.records import SampleRow
from skillmill.data.store import ShardStore

EXAMPLES_PER_REASON = 3
ACCEPTED_EXAMPLES = 8
COUNTED_COLUMNS = ["index", "verdict", "reasons", "k", "skills", "grade", "grader", "signals"]
"""The columns that the counts need. The other columns, which are mostly text, are read for examples only."""


@dataclass
class Survey:
    """The counts of a plan's rows, without its pairs, and examples."""

    funnel: Funnel = field(default_factory=Funnel)
    accepted: list[SampleRow] = field(default_factory=list)
    rejected: dict[str, list[SampleRow]] = field(default_factory=dict)
    """The examples of rejected rows by reason; a row with two reasons can be an example of both."""

    def by_reason(self) -> list[tuple[str, int, float, list[SampleRow]]]:
        """Return (reason, number of rows, share of all rows, examples), the most frequent reason first."""
        return [
            (reason, count, count / self.funnel.rows, self.rejected[reason])
            for reason, count in sorted(self.funnel.reasons.items(), key=lambda item: (-item[1], item[0]))
        ]


def survey(samples: ShardStore, plan: str) -> Survey:
    """Count the rows of a plan and pick examples.

    Holds one shard in memory at a time. Raises `StoreError` if a shard cannot be read.
    """
    result = Survey()
    for shard in samples.of_plan(plan):  # in order of index
        rows: list[SampleRow] = samples.rows(shard, COUNTED_COLUMNS).to_pylist()
        result.funnel.count(rows)
        picked = [number for number, row in enumerate(rows) if _pick(result, row)]
        if picked:
            for number, whole in zip(picked, samples.read_unverified(shard).take(picked).to_pylist(), strict=True):
                rows[number].update(whole)
    return result


def _pick(result: Survey, row: SampleRow) -> bool:
    """Add the row to all lists of examples that it belongs to and that are not full; return whether there was one."""
    if row["verdict"] == "accepted":  # it has reasons if an override accepted it; they do not count
        lists, limit = [result.accepted], ACCEPTED_EXAMPLES
    else:
        lists = [result.rejected.setdefault(reason, []) for reason in dict.fromkeys(row["reasons"])]
        limit = EXAMPLES_PER_REASON
    incomplete = [examples for examples in lists if len(examples) < limit]
    for examples in incomplete:
        examples.append(row)
    return bool(incomplete)
