"""`skillmill taxonomy show` and `skillmill taxonomy check`: what a taxonomy holds, and what is wrong in it."""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from skillmill.flows.report.coverage import Coverage, by_category, coverage_of
from skillmill.flows.runtime.named_directory import open_directory
from skillmill.skill_taxonomy.curation.check import find_faults
from skillmill.skill_taxonomy.formats import lines_of, read_taxonomy, read_taxonomy_text
from skillmill.skill_taxonomy.sources import builtin_text
from skillmill.skill_taxonomy.tables import Columns
from skillmill.skill_taxonomy.taxonomy import Skill, Taxonomy

_SKILLS_IN_A_LINE = 30
"""Skills named in a category's line; a terminal shows those that fit."""

log = logging.getLogger(__name__)


def show_taxonomy(name: str, every: bool, html: Path | None, run: str | None, columns: Columns | None = None) -> None:
    """Print the taxonomy `name` as a tree, or write it as a page to `html` and print its path.

    With `every`, the tree has a line for each skill. `run` is an `output_dir` whose rows are counted;
    `columns` are those of a table. Raises `ConfigError` if the taxonomy cannot be read or `run` holds no rows.
    """
    taxonomy, _ = taxonomy_of(name, duplicates=True, columns=columns)
    coverage = None
    if run:
        with open_directory(run, reads_only=True) as directory:
            coverage = coverage_of(directory.root, directory.name)
    if html is None:
        _print_tree(taxonomy, every, coverage)
        return
    from skillmill.flows.report.taxonomy_page import write_page  # scikit-learn: seconds to import

    write_page(taxonomy, coverage, html)
    print(html)


def check_taxonomy(name: str, columns: Columns | None = None) -> int:
    """Print the findings, each with its line; return the exit code, 1 if a finding is an error."""
    taxonomy, text = taxonomy_of(name, duplicates=True, columns=columns)
    findings, lines = find_faults(taxonomy), lines_of(text, name, columns)
    for finding in findings:
        print(f"{name}:{lines[finding.location]}: {finding.severity}: {finding.entry}: {finding.message}")
    errors = sum(finding.severity == "error" for finding in findings)
    log.info(f"taxonomy: {len(taxonomy.skills):,} skills, {errors:,} errors, {len(findings) - errors:,} warnings")
    return int(errors > 0)


def taxonomy_of(name: str, duplicates: bool = False, columns: Columns | None = None) -> tuple[Taxonomy, str]:
    """Return the taxonomy in the file `name`, or of `builtin:NAME`, and its text.

    With `duplicates`, several skills may share a name. `columns` are those of a table, see `load_taxonomy`. Raises
    `ConfigError` if there is no such taxonomy or it is invalid.
    """
    text = (
        builtin_text(name.removeprefix("builtin:")) if name.startswith("builtin:") else read_taxonomy_text(Path(name))
    )
    return read_taxonomy(text, name, duplicates, columns), text


def _print_tree(taxonomy: Taxonomy, every: bool, coverage: Coverage | None) -> None:
    categories = by_category(taxonomy)
    tree = Tree(Text(f"{taxonomy.name}: {len(taxonomy.skills):,} skills in {len(categories):,} categories"))
    for category, skills in categories.items():
        line = Text.assemble((category, "bold"), f"  {len(skills):,}{_held_out(skills)}{_covered(skills, coverage)}")
        if not every:
            line.append(f"  {', '.join(skill.name for skill in skills[:_SKILLS_IN_A_LINE])}", style="dim")
            tree.add(_one_line(line))
            continue
        branch = tree.add(line)
        for skill in skills:
            branch.add(_skill_line(skill, coverage))
    for title, entries in (("topics", taxonomy.topics), ("query types", taxonomy.query_types)):
        held_out = sum(getattr(entry, "split", "train") != "train" for entry in entries)
        line = Text.assemble((title, "bold"), f"  {len(entries):,}{f', {held_out:,} held out' if held_out else ''}")
        line.append(f"  {', '.join(entry.name for entry in entries)}", style="dim")
        tree.add(line if every else _one_line(line))
    Console(highlight=False).print(tree)
    if not every:
        log.info("taxonomy: --all shows every skill, --html FILE makes a page")


def _skill_line(skill: Skill, coverage: Coverage | None) -> Text:
    marks = [mark for mark in (skill.common and "common", skill.split != "train" and skill.split) if mark]
    in_brackets = f" ({', '.join(marks)})" if marks else ""
    line = Text(f"{skill.name}{in_brackets}{_covered([skill], coverage)}")
    return line.append(f"  {skill.definition}", style="dim")


def _one_line(text: Text) -> Text:
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _held_out(skills: Sequence[Skill]) -> str:
    counts = Counter(skill.split for skill in skills if skill.split != "train")
    return "".join(f", {count:,} {split}" for split, count in sorted(counts.items()))


def _covered(skills: Sequence[Skill], coverage: Coverage | None) -> str:
    """Return in how many rows one skill occurs, or how many of several skills occur in any row."""
    if coverage is None:
        return ""
    rows = [coverage.of(skill)[0] for skill in skills]
    return f", in {rows[0]:,} rows" if len(rows) == 1 else f", {sum(count > 0 for count in rows):,} in rows"
