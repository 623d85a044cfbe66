"""Near-duplicates over a run: what the corpus filter knows of the shards, and what it says of the rows after them."""

from collections.abc import Iterable
from typing import Any

from skillmill.data.reasons import Reason
from skillmill.data.records import text_of
from skillmill.filters.dedup.matches import Match
from skillmill.filters.dedup.near_duplicates import Corpus
from skillmill.filters.dedup.signatures import Text
from skillmill.filters.overrides import Overrides
from skillmill.flows.plan import Plan
from skillmill.flows.runtime.workspace import Workspace

Row = dict[str, Any]

SIGNATURES = "signatures.bin"
"""In `work_dir`."""
COLUMNS = ["id", "index", "kind", "prompt", "completion", "reasons"]


class Duplicates:
    """Decides the rows of `plan`, in index order, against the kept rows of all other plans and, with `behind`, of its
    own stored shards.

    Kept are the rows that the filters accept: a person's word neither makes nor unmakes a duplicate. Close it.
    """

    def __init__(self, workspace: Workspace, plan: Plan, overrides: Overrides, behind: bool) -> None:
        self._options, self._overrides = workspace.config.filters.near_duplicates, overrides
        self._corpus: Corpus | None = None
        if self._options.enabled:
            self._corpus = Corpus(workspace.config.work / SIGNATURES, self._options, plan.fingerprint)
            self._load(workspace, None if behind else plan.fingerprint)

    def over(self, rows: list[Row]) -> list[Row]:
        """The rows with a reason and signals on those that repeat a kept one."""
        open_ones = [place for place, row in enumerate(rows) if _accepted(row)]
        if self._corpus is None or not open_ones:
            return rows
        decided = list(rows)
        matches = self._corpus.decide([self._text(rows[place]) for place in open_ones])
        for place, match in zip(open_ones, matches, strict=True):
            if match is not None:
                decided[place] = self._overrides.over(_rejected(rows[place], match))
        return decided

    def sync(self) -> None:
        """Before a commit: the signatures of a shard's rows outlive whatever the shard does."""
        if self._corpus is not None:
            self._corpus.sync()

    def close(self) -> None:
        if self._corpus is not None:
            self._corpus.close()

    def _load(self, workspace: Workspace, without: str | None) -> None:
        """Take in the stored rows that are kept; texts are read only where signatures are missing."""
        assert self._corpus is not None
        store = workspace.samples
        kept: list[int] = []
        for shard in store.shards:
            if shard.plan == without:
                continue
            rows = store.rows(shard, ["id", "reasons"]).to_pylist()
            here = {int(row["id"], 16) for row in rows if _accepted(row)}
            if unknown := self._corpus.unknown(here):
                texts = [self._text(row) for row in store.rows(shard, COLUMNS).to_pylist()]
                self._corpus.sign([text for text in texts if text.row in unknown], shard.plan)
            kept.extend(here)
        self._corpus.keep(kept)

    def _text(self, row: Row) -> Text:
        # A Skill-Mix instruction is our own sentence around the cell's skills: alike by design.
        compared = self._options.instruction and row["kind"] != "skill_mix"
        instruction = text_of(row["prompt"]) if compared else ""
        response = text_of(row["completion"]) if self._options.response else ""
        return Text(int(row["id"], 16), row["index"], instruction, response)


def _accepted(row: Row) -> bool:
    return all(reason == Reason.OVERRIDE for reason in row["reasons"])


def _rejected(row: Row, match: Match) -> Row:
    signals = {**dict(row["signals"]), **dict(_signals(row, match))}
    return {**row, "reasons": [*row["reasons"], match.reason.value], "signals": sorted(signals.items())}


def _signals(row: Row, match: Match) -> Iterable[tuple[str, float]]:
    yield "duplicate_of_index", float(match.index)
    if match.plan != int(row["plan"][:8], 16):
        yield "duplicate_of_plan", float(match.plan)
    yield "duplicate_instruction", match.instruction
    yield "duplicate_response", match.response
