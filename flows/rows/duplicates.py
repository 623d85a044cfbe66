"""Near-duplicates in a run: load the kept rows of the shards, mark the new rows that repeat one of them."""

from collections.abc import Iterable

from skillmill.data.freed import freed_rows
from skillmill.data.reasons import OVERRIDE
from skillmill.data.records import SampleRow, text_of
from skillmill.filters.dedup.duplicate_of import DuplicateOf
from skillmill.filters.dedup.near_duplicates import Corpus
from skillmill.filters.dedup.signatures import RowTexts
from skillmill.filters.overrides import Overrides
from skillmill.flows.plan import Plan
from skillmill.flows.runtime.workspace import Workspace

SIGNATURES = "signatures.bin"
"""The file of signatures in `work_dir`."""
COMPARED_COLUMNS = ["id", "index", "kind", "prompt", "completion", "reasons"]


class Duplicates:
    """The near-duplicate filter over the rows of one plan, which come in index order. Close it after use.

    Rows are compared with the kept rows of all other plans and, with `own_shards`, of the plan's stored shards. A row
    is kept if the filters accept it; overrides do not matter.
    """

    def __init__(self, workspace: Workspace, plan: Plan, overrides: Overrides, own_shards: bool) -> None:
        self._options, self._overrides = workspace.config.filters.near_duplicates, overrides
        self._corpus: Corpus | None = None
        if self._options.enabled:
            self._corpus = Corpus(workspace.config.work / SIGNATURES, self._options, plan.fingerprint)
            self._load(workspace, None if own_shards else plan.fingerprint)

    def mark(self, rows: list[SampleRow]) -> list[SampleRow]:
        """Return the rows, with a reason and signals added to each that repeats a kept row."""
        accepted = [place for place, row in enumerate(rows) if accepted_by_filters(row)]
        if self._corpus is None or not accepted:
            return rows
        marked = list(rows)
        matches = self._corpus.decide([self._text(rows[place]) for place in accepted])
        for place, match in zip(accepted, matches, strict=True):
            if match is not None:
                marked[place] = self._overrides.apply(_with_match(rows[place], match))
        return marked

    def sync(self) -> None:
        """Make the signatures durable; call it before the rows are committed."""
        if self._corpus is not None:
            self._corpus.sync()

    def close(self) -> None:
        """Close the file of signatures."""
        if self._corpus is not None:
            self._corpus.close()

    def _load(self, workspace: Workspace, without: str | None) -> None:
        """Load the kept rows of the shards; read a shard's texts only if it has rows without a signature."""
        assert self._corpus is not None
        store = workspace.samples
        kept: list[int] = []
        for shard in store.shards:
            if shard.plan == without:
                continue
            rows = store.rows(shard, ["id", "reasons"]).to_pylist()
            here = {int(row["id"], 16) for row in rows if accepted_by_filters(row)}
            if unknown := self._corpus.missing(here):
                texts = [self._text(row) for row in store.rows(shard, COMPARED_COLUMNS).to_pylist()]
                self._corpus.sign([text for text in texts if text.row in unknown], shard.plan)
            kept.extend(here)
        freed = set(freed_rows(store.root).tolist())
        self._corpus.keep([*kept, *sorted(freed - self._corpus.missing(freed))])

    def _text(self, row: SampleRow) -> RowTexts:
        # Skill-Mix instructions come from one template, so that all of them are near-duplicates.
        compared = self._options.instruction and row["kind"] != "skill_mix"
        instruction = text_of(row["prompt"]) if compared else ""
        response = text_of(row["completion"]) if self._options.response else ""
        return RowTexts(int(row["id"], 16), row["index"], instruction, response)


def accepted_by_filters(row: SampleRow) -> bool:
    """Return whether no filter rejects a row; reads its column `reasons`."""
    return all(reason == OVERRIDE for reason in row["reasons"])


def _with_match(row: SampleRow, match: DuplicateOf) -> SampleRow:
    signals = {**dict(row["signals"]), **dict(_signals(row, match))}
    return {**row, "reasons": [*row["reasons"], str(match.reason)], "signals": sorted(signals.items())}


def _signals(row: SampleRow, match: DuplicateOf) -> Iterable[tuple[str, float]]:
    yield "duplicate_of_index", float(match.index)
    if match.plan != int(row["plan"][:8], 16):
        yield "duplicate_of_plan", float(match.plan)
    yield "duplicate_instruction", match.instruction
    yield "duplicate_response", match.response
