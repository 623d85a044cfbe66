"""What a range takes over from the run: the cells that are there already, the taxonomy, and the rest of the budget."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from skillmill.data.errors import SkillmillError
from skillmill.data.freed import write_freed
from skillmill.data.store import sample_store
from skillmill.flows.config import Config
from skillmill.flows.plan import Plan, make_plan
from skillmill.flows.ranges.split import Range, range_config
from skillmill.flows.rows.generate import next_cells, tried_keys
from skillmill.flows.runtime.remote_output import held_copy
from skillmill.flows.runtime.workspace import read_ledger, read_state
from skillmill.flows.steps.taxonomy import configured_taxonomy
from skillmill.skill_taxonomy.formats import load_taxonomy, save_taxonomy
from skillmill.teachers.middleware.accounting import Budget, BudgetMet, Usage

MERGES = "merges"
"""The key of `run.json` under which a plan has the `Before` of the ranges that were merged into it last."""
TRIED = "others"
"""The name of the tried cells of a run in the folder of a range, beside which there are no plans."""


@dataclass(frozen=True)
class Before:
    """What the run has of a plan before its ranges are merged.

    `cells`: the number of its cells. `position`: where in the plan the next one begins. `until`: the number of cells
    that the run has when the ranges are merged, 0 if it is not fixed. `merge`: "begun", "done", or "" before it.
    """

    cells: int
    position: int
    until: int
    merge: str = ""

    @property
    def is_there(self) -> bool:
        """Whether the run has all cells."""
        return self.merge == "done" or 0 < self.until <= self.cells


def before_ranges(config: Config, plan: Plan) -> Before:
    """Return what the run has of the plan before the ranges up to `generation.samples`."""
    until = config.generation.samples or 0
    note = read_state(config.output).get(MERGES, {}).get(plan.fingerprint)
    if note and note["until"] == until:
        return Before(**note)
    shards = sample_store(config.output).of_plan(plan.fingerprint)
    return Before(sum(shard.cells for shard in shards), max((shard.stop for shard in shards), default=0), until)


@contextmanager
def opened_range(config: Config, part: Range) -> Iterator[tuple[Config, int]]:
    """Open the folder of a range and put into it what the range takes over.

    Yield the configuration of the range and the position of its first cell. Raises what `range_config` and
    `configured_taxonomy` raise, and `SkillmillError` if the run has the cells already or there are not enough.
    """
    with held_copy(config, reads_only=True):
        taxonomy = configured_taxonomy(config)
        plan = make_plan(config, taxonomy)
        before, samples = before_ranges(config, plan), sample_store(config.output)
        if before.is_there:
            place = config.place(config.output)
            raise SkillmillError(f"generation.samples: {place} holds the {before.until} cells already")
        own = range_config(config, part, before.cells).model_copy(update={"budget": _budget_of(config, part)})
        skipped = part.cells(before.until - before.cells).start
        cell = next(islice(next_cells(samples, plan, before.position, None), skipped, None), None)
        if cell is None:
            raise SkillmillError(f"generation.samples: the space of cells is used up before range {part}")
        tried = tried_keys(samples, plan.fingerprint)
    with held_copy(own):
        path = own.output / "taxonomy.yaml"
        if not path.exists() or load_taxonomy(path) != taxonomy:
            path.parent.mkdir(parents=True, exist_ok=True)
            save_taxonomy(taxonomy, path)
        if len(tried):
            write_freed(own.output, TRIED, tried, ())
        yield own, cell.index


def _budget_of(config: Config, part: Range) -> Budget:
    """Return what a range may spend: its share of the tokens and the money that are left, and all hours that are.

    Raises `BudgetMet` if nothing is left.
    """
    usage, ledger, caps = Usage(config.prices, config.budget), read_ledger(config), config.budget
    usage.restore(ledger["usage"], ledger["wall_s"])
    if reason := usage.reached_cap():
        raise BudgetMet(reason)
    return Budget(
        tokens=caps.tokens and max(1, (caps.tokens - usage.tokens) // part.count),
        money=caps.money and (caps.money - (usage.money or 0)) / part.count,
        hours=caps.hours and caps.hours - usage.wall_s / 3600,
    )
