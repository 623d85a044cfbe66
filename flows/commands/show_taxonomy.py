"""`skillmill taxonomy show` and `check`: what a taxonomy holds, what a person should look at in it."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from skillmill.data.errors import ConfigError
from skillmill.data.inputs.yaml_file import Lines
from skillmill.data.store import sample_store
from skillmill.flows.runtime.progress import say
from skillmill.skill_taxonomy.curation.check import check
from skillmill.skill_taxonomy.sources import builtin_text
from skillmill.skill_taxonomy.taxonomy import Skill, Taxonomy, canonical, read_taxonomy, taxonomy_file

_NAMED = 30  # skills named in a category's line, of which a terminal shows what fits


@dataclass(frozen=True)
class Coverage:
    """How often each skill, by canonical name, occurs in the rows of a run."""

    rows: Counter[str]
    accepted: Counter[str]

    def of(self, skill: Skill) -> tuple[int, int]:
        """Rows and accepted rows with the skill, under any of its names."""
        names = {canonical(name) for name in (skill.name, *skill.aliases)}
        return sum(self.rows[name] for name in names), sum(self.accepted[name] for name in names)


def taxonomy_of(name: str, duplicates: bool = False) -> tuple[Taxonomy, str]:
    """A taxonomy file or `builtin:NAME`, with its text. Raises `ConfigError` where there is none or a bad one."""
    text = builtin_text(name.removeprefix("builtin:")) if name.startswith("builtin:") else taxonomy_file(Path(name))
    return read_taxonomy(text, name, duplicates), text


def coverage_of(root: Path) -> Coverage:
    """The coverage so far over all plans of an output_dir. Raises `ConfigError` where it holds no run."""
    store = sample_store(root)
    if not store.shards:
        raise ConfigError(f"--run {root}: holds no rows, expected an output_dir with a manifest.jsonl")
    rows: Counter[str] = Counter()
    accepted: Counter[str] = Counter()
    for table in store.tables(dict.fromkeys(shard.plan for shard in store.shards), ["skills", "verdict"]):
        for counts, kept in ((rows, table), (accepted, table.filter(pc.equal(table["verdict"], "accepted")))):
            for found in pc.value_counts(pc.list_flatten(kept["skills"])).to_pylist():
                counts[canonical(found["values"])] += found["counts"]
    return Coverage(rows, accepted)


def by_category(taxonomy: Taxonomy) -> dict[str, list[Skill]]:
    """The skills of each category, categories as the file first writes them, the largest first."""
    written: dict[str, str] = {}
    categories: dict[str, list[Skill]] = {}
    for skill in taxonomy.skills:
        name = written.setdefault(canonical(skill.category), skill.category)
        categories.setdefault(name, []).append(skill)
    return dict(sorted(categories.items(), key=lambda item: -len(item[1])))


def print_tree(taxonomy: Taxonomy, every: bool, coverage: Coverage | None) -> None:
    """Print a line a category, or with `every` a line a skill."""
    categories = by_category(taxonomy)
    tree = Tree(Text(f"{taxonomy.name}: {len(taxonomy.skills):,} skills in {len(categories):,} categories"))
    for category, skills in categories.items():
        line = Text.assemble((category, "bold"), f"  {len(skills):,}{_marks(skills)}{_covered(skills, coverage)}")
        if not every:
            line.append(f"  {', '.join(skill.name for skill in skills[:_NAMED])}", style="dim")
            tree.add(_one_line(line))
            continue
        branch = tree.add(line)
        for skill in skills:
            marks = [mark for mark in (skill.common and "common", skill.split != "train" and skill.split) if mark]
            shown = f" ({', '.join(marks)})" if marks else ""
            text = Text(f"{skill.name}{shown}{_covered([skill], coverage)}")
            branch.add(text.append(f"  {skill.definition}", style="dim"))
    for what, entries in (("topics", taxonomy.topics), ("query types", taxonomy.query_types)):
        held = sum(getattr(entry, "split", "train") != "train" for entry in entries)
        line = Text.assemble((what, "bold"), f"  {len(entries):,}{f', {held:,} held out' if held else ''}")
        names = ", ".join(entry.name for entry in entries)
        line.append(f"  {names}", style="dim")
        tree.add(line if every else _one_line(line))
    Console(highlight=False).print(tree)
    if not every:
        say("taxonomy: --all shows every skill, --html FILE makes a page")


def check_taxonomy(name: str) -> int:
    """Print the findings, each with its line; the exit code is 1 where one is an error."""
    taxonomy, text = taxonomy_of(name, duplicates=True)
    findings, lines = check(taxonomy), Lines(text)
    for finding in findings:
        print(f"{name}:{lines[finding.location]}: {finding.severity}: {finding.entry}: {finding.message}")
    errors = sum(finding.severity == "error" for finding in findings)
    say(f"taxonomy: {len(taxonomy.skills):,} skills, {errors:,} errors, {len(findings) - errors:,} warnings")
    return int(errors > 0)


def _one_line(text: Text) -> Text:
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _marks(skills: list[Skill]) -> str:
    counts = Counter(skill.split for skill in skills if skill.split != "train")
    return "".join(f", {count:,} {split}" for split, count in sorted(counts.items()))


def _covered(skills: list[Skill], coverage: Coverage | None) -> str:
    if coverage is None:
        return ""
    found = [coverage.of(skill)[0] for skill in skills]
    if len(skills) == 1:
        return f", in {found[0]:,} rows"
    return f", {sum(count > 0 for count in found):,} in rows"
