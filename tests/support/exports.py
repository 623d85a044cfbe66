"""Exports of stored rows for tests, without a run."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from example_rows import example_row

from skillmill.data.export.card.facts import CardFacts, ModelFacts, TaxonomyFacts
from skillmill.data.export.dataset_folder import Exported, write_dataset_folder
from skillmill.data.records import Sample, SampleRow
from skillmill.data.store import ShardStore
from skillmill.data.versions import PlanRange, Version, Versions, adopt_exported


def draft(samples: ShardStore, plans: Mapping[str, str], versions: Versions, **fields: Any) -> Version:
    """Return the next version with the rows of `plans`, each with the fingerprint of its pairs."""
    ranges = {plan: PlanRange.of(samples.of_plan(plan), pairs) for plan, pairs in plans.items()}
    plan = next(reversed(ranges), "")
    known = Version.draft(versions.next_name, plan=plan, plans=ranges, taxonomy="f" * 64, teacher="t")
    return replace(known, **fields)


def card_facts(name: str, plans: Iterable[str]) -> CardFacts:
    """Return facts with a taxonomy of two skills and one query type."""
    taxonomy = TaxonomyFacts("x", "tests", {"style": ("irony", "haiku")}, (), ("How-to",))
    return CardFacts(name, "instruct_skill_mix", {2: 1.0}, 42, ModelFacts("t"), taxonomy, tuple(plans))


def row_of(plan: str, index: int) -> SampleRow:
    """Return an accepted row whose cell depends on its index alone, as a hash does."""
    sample = Sample(f"Instruction {index}?", f"Answer {index}.", signals={"words": 2.0})
    return {**example_row(sample, plan, index), "cell": f"{index * 0x9E3779B97F4A7C15 % 2**64:016x}"}


def export_stores(
    stores: tuple[ShardStore, ShardStore, ShardStore],
    plans: Mapping[str, str],
    facts: CardFacts | None = None,
    **options: Any,
) -> Exported:
    """Write `export/` beside the shards, and record its version as a run does."""
    root: Path = stores[0].root
    versions = adopt_exported(root)
    facts = facts or card_facts("test", plans)
    new = draft(stores[0], plans, versions)
    exported = write_dataset_folder(*stores, root / "export", facts, versions, new, **options)
    adopt_exported(root)
    return exported
