"""`skillmill taxonomy merge` and `skillmill taxonomy split`: change a taxonomy file and keep what its author wrote."""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from skillmill.data.errors import ConfigError
from skillmill.data.files import write_atomic
from skillmill.flows.commands.taxonomy_show import taxonomy_of
from skillmill.skill_taxonomy.curation.edit import edit_text
from skillmill.skill_taxonomy.curation.merge import apply_plan, load_plan, plan_text, propose_plan
from skillmill.skill_taxonomy.curation.similarity import skill_vectors
from skillmill.skill_taxonomy.formats import is_table
from skillmill.skill_taxonomy.splits import By, hold_out
from skillmill.skill_taxonomy.tables import Columns
from skillmill.skill_taxonomy.taxonomy import KEYS, Split, Taxonomy

log = logging.getLogger(__name__)


def write_merge_plan(
    name: str, path: Path, model: str | None, threshold: float | None, columns: Columns | None = None
) -> None:
    """Find duplicates and write the plan that merges them to `path`. Raises `ConfigError` if `path` exists."""
    if path.exists():
        raise ConfigError(f"--plan {path}: is already there, and may have been amended; choose another name")
    taxonomy, _ = taxonomy_of(name, duplicates=True, columns=columns)
    vectors = skill_vectors(taxonomy.skills, model)
    plan = propose_plan(taxonomy, vectors, threshold)
    limit = vectors.threshold if threshold is None else threshold
    made_by = f"{vectors.method}, similar from {limit:g} on"
    write_atomic(path, plan_text(plan, taxonomy, name, made_by).encode())
    for key in KEYS:
        for group in getattr(plan, key):
            similarity = "" if group.similarity is None else f" {group.similarity:.2f}"
            print(f"{group.keep} <- {', '.join(group.merge)} ({group.why}{similarity})")
    log.info(f"taxonomy: {len(plan)} groups, compared by {made_by}; read and amend {path}, then --apply it")


def apply_merge_plan(
    name: str, plan_path: Path, out: Path | None, in_place: bool, columns: Columns | None = None
) -> None:
    """Merge as the plan says. Raises `ConfigError` with a line of the plan if it does not fit the taxonomy."""
    target = _target(name, out, in_place)
    taxonomy, text = taxonomy_of(name, duplicates=True, columns=columns)
    plan, lines = load_plan(plan_path)
    after = apply_plan(taxonomy, plan, str(plan_path), lines)
    _write(target, text, taxonomy, after)
    log.info(f"taxonomy: {len(taxonomy.skills):,} skills merged into {len(after.skills):,}, in {target}")


def split_taxonomy(
    name: str,
    by: By,
    shares: dict[Split, float],
    seed: int,
    names: Sequence[str],
    out: Path | None,
    in_place: bool,
    columns: Columns | None = None,
) -> None:
    """Hold out skills or topics and record their splits in the file.

    `shares` gives the share of each split, `names` the units that are held out in any case. Raises `ConfigError` if
    neither is given, if nothing is left for training, or if the taxonomy has no such names.
    """
    target = _target(name, out, in_place)
    if not names and not any(shares.values()):
        raise ConfigError("taxonomy split: expected --test SHARE, --validation SHARE or --hold NAME")
    if sum(shares.values()) >= 1:
        raise ConfigError(f"taxonomy split: shares of {sum(shares.values()):g} in all leave nothing for training")
    taxonomy, text = taxonomy_of(name, columns=columns)
    after = hold_out(taxonomy, by, shares, seed, names)
    _write(target, text, taxonomy, after)
    for title, entries in (("skills", after.skills), ("topics", after.topics)):
        counts = Counter(entry.split for entry in entries)
        print(f"{title}: " + ", ".join(f"{counts[split]:,} {split}" for split in ("train", "validation", "test")))
    for split, units in sorted(_newly_held_out(taxonomy, after, by).items()):
        print(f"now held out for {split}: {', '.join(dict.fromkeys(units))}")
    log.info(f"taxonomy: frozen in {target}")


def _newly_held_out(before: Taxonomy, after: Taxonomy, by: By) -> dict[str, list[str]]:
    """Return the names of the entries, or of their categories, whose split changed, by the new split."""
    key = "topics" if by == "topic" else "skills"
    names: dict[str, list[str]] = {}
    for old, new in zip(getattr(before, key), getattr(after, key), strict=True):
        if new.split != old.split:
            names.setdefault(new.split, []).append(new.category if by == "category" else new.name)
    return names


def _target(name: str, out: Path | None, in_place: bool) -> Path:
    """Return the file for the result. Raises `ConfigError` if it exists and --in-place is not given."""
    if in_place == (out is not None):
        raise ConfigError("taxonomy: expected either --out FILE or --in-place")
    if in_place and name.startswith("builtin:"):
        raise ConfigError(f"--in-place: {name} comes with skillmill and stays as it is, expected --out FILE")
    if is_table(str(out or name)):
        raise ConfigError(f"{out or name}: the result is YAML, expected --out FILE.yaml")
    if out is not None and out.exists():
        raise ConfigError(f"--out {out}: is already there, expected a new file (or --in-place to change {name})")
    return out or Path(name)


def _write(target: Path, text: str, before: Taxonomy, after: Taxonomy) -> None:
    """Write the taxonomy `after` as an edit of `text`, the file of the taxonomy `before`."""
    changed, comments_kept = edit_text(text, before, after)
    write_atomic(target, changed.encode())
    if not comments_kept and "#" in text:
        log.info(f"taxonomy: {target} is written anew: its comments could not be kept")
