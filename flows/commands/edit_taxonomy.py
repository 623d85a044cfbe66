"""`skillmill taxonomy merge` and `split`: changes to a taxonomy file, which belongs to the person who wrote it."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from skillmill.data.errors import ConfigError
from skillmill.data.files import write_whole
from skillmill.flows.commands.show_taxonomy import taxonomy_of
from skillmill.flows.runtime.progress import say
from skillmill.skill_taxonomy.curation.edit import edited
from skillmill.skill_taxonomy.curation.merge import load_plan, merged, plan_text, propose
from skillmill.skill_taxonomy.curation.similarity import vectors
from skillmill.skill_taxonomy.splits import By, hold_out
from skillmill.skill_taxonomy.taxonomy import KEYS, Split, Taxonomy


def write_merge_plan(name: str, path: Path, model: str | None, threshold: float | None) -> None:
    """Find what is one and the same and write the plan that merges it. Raises `ConfigError` where `path` exists."""
    if path.exists():
        raise ConfigError(f"--plan {path}: is already there, and may have been amended; choose another name")
    taxonomy, _ = taxonomy_of(name, duplicates=True)
    found = vectors(taxonomy.skills, model)
    plan = propose(taxonomy, found, threshold)
    limit = found.threshold if threshold is None else threshold
    made_by = f"{found.made_by}, similar from {limit:g} on"
    write_whole(path, plan_text(plan, taxonomy, name, made_by).encode())
    for key in KEYS:
        for group in getattr(plan, key):
            similarity = "" if group.similarity is None else f" {group.similarity:.2f}"
            print(f"{group.keep} <- {', '.join(group.merge)} ({group.why}{similarity})")
    say(f"taxonomy: {len(plan)} groups, compared by {made_by}; read and amend {path}, then --apply it")


def apply_merge_plan(name: str, plan_path: Path, out: Path | None, in_place: bool) -> None:
    """Merge as the plan says. Raises `ConfigError` with the plan's line where it does not fit."""
    target = _target(name, out, in_place)
    taxonomy, text = taxonomy_of(name, duplicates=True)
    plan, lines = load_plan(plan_path)
    after = merged(taxonomy, plan, str(plan_path), lines)
    _write(target, text, taxonomy, after)
    say(f"taxonomy: {len(taxonomy.skills):,} skills merged into {len(after.skills):,}, in {target}")


def split_taxonomy(
    name: str, by: By, shares: dict[Split, float], seed: int, names: Sequence[str], out: Path | None, in_place: bool
) -> None:
    """Hold out skills or topics and write that down in the file. Raises `ConfigError` where it cannot be done."""
    target = _target(name, out, in_place)
    if not names and not any(shares.values()):
        raise ConfigError("taxonomy split: expected --test SHARE, --validation SHARE or --hold NAME")
    if sum(shares.values()) >= 1:
        raise ConfigError(f"taxonomy split: shares of {sum(shares.values()):g} in all leave nothing for training")
    taxonomy, text = taxonomy_of(name)
    after = hold_out(taxonomy, by, shares, seed, names)
    _write(target, text, taxonomy, after)
    for what, entries in (("skills", after.skills), ("topics", after.topics)):
        counts = Counter(entry.split for entry in entries)
        print(f"{what}: " + ", ".join(f"{counts[split]:,} {split}" for split in ("train", "validation", "test")))
    key = "topics" if by == "topic" else "skills"
    held: dict[str, list[str]] = {}
    for old, new in zip(getattr(taxonomy, key), getattr(after, key), strict=True):
        if new.split != old.split:
            held.setdefault(new.split, []).append(new.category if by == "category" else new.name)
    for split, found in sorted(held.items()):
        print(f"now held out for {split}: {', '.join(dict.fromkeys(found))}")
    say(f"taxonomy: frozen in {target}")


def _target(name: str, out: Path | None, in_place: bool) -> Path:
    """Where the result goes: never over a file that nobody named to be written."""
    if in_place == (out is not None):
        raise ConfigError("taxonomy: expected either --out FILE or --in-place")
    if in_place and name.startswith("builtin:"):
        raise ConfigError(f"--in-place: {name} comes with skillmill and stays as it is, expected --out FILE")
    if out is not None and out.exists():
        raise ConfigError(f"--out {out}: is already there, expected a new file (or --in-place to change {name})")
    return out or Path(name)


def _write(target: Path, text: str, before: Taxonomy, after: Taxonomy) -> None:
    changed, commented = edited(text, before, after)
    write_whole(target, changed.encode())
    if not commented and "#" in text:
        say(f"taxonomy: {target} is written anew: its comments could not be kept")
