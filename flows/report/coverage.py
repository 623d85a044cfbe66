"""The skills of a taxonomy by category, and how often each occurs in the rows of a run."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc

from skillmill.data.errors import ConfigError
from skillmill.data.store import sample_store
from skillmill.skill_taxonomy.taxonomy import Skill, Taxonomy, canonical


@dataclass(frozen=True)
class Coverage:
    """How often each skill, by canonical name, occurs in the rows of a run."""

    rows: Counter[str]
    accepted: Counter[str]

    def of(self, skill: Skill) -> tuple[int, int]:
        """Return the numbers of rows and of accepted rows with the skill, under any of its names."""
        names = {canonical(name) for name in (skill.name, *skill.aliases)}
        return sum(self.rows[name] for name in names), sum(self.accepted[name] for name in names)


def coverage_of(root: Path, name: str | None = None) -> Coverage:
    """Return the coverage by all plans in the `output_dir` `root`, which the user calls `name`.

    Raises `ConfigError` if it holds no rows.
    """
    store = sample_store(root)
    if not store.shards:
        raise ConfigError(f"--run {name or root}: holds no rows, expected an output_dir with a manifest.jsonl")
    rows: Counter[str] = Counter()
    accepted: Counter[str] = Counter()
    for table in store.tables(dict.fromkeys(shard.plan for shard in store.shards), ["skills", "verdict"]):
        for counts, kept in ((rows, table), (accepted, table.filter(pc.equal(table["verdict"], "accepted")))):
            for occurrences in pc.value_counts(pc.list_flatten(kept["skills"])).to_pylist():
                counts[canonical(occurrences["values"])] += occurrences["counts"]
    return Coverage(rows, accepted)


def by_category(taxonomy: Taxonomy) -> dict[str, list[Skill]]:
    """Return the skills of each category, the largest category first, spelt as where the file first names it."""
    spellings: dict[str, str] = {}
    categories: dict[str, list[Skill]] = {}
    for skill in taxonomy.skills:
        name = spellings.setdefault(canonical(skill.category), skill.category)
        categories.setdefault(name, []).append(skill)
    return dict(sorted(categories.items(), key=lambda item: -len(item[1])))
