"""Rules about skill names: excluded skills, and the deduction of points for skills that a text names.

Skill-Mix (arXiv 2310.17567) has both rules as variants of its metrics.
"""

import unicodedata
from collections.abc import Callable, Collection, Sequence
from difflib import get_close_matches
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skillmill.data.errors import ConfigError
from skillmill.data.text.phrases import phrase_pattern
from skillmill.skill_taxonomy.taxonomy import canonical
from skillmill.train.evaluation.columns import Mask
from skillmill.train.evaluation.skill_mix_metrics import OTHER_POINTS, Gradings

Naming = Literal["ignore", "substring", "words"]
"""When a skill loses its point because the text names it. "ignore": never. "substring": the name occurs anywhere, also
inside a longer word (the rule of Skill-Mix's code). "words": the name occurs as whole words, in singular or plural. A
name ends before its first "("."""


def skills_named(texts: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return the known names that the texts give, in any case and Unicode form.

    A text is one name, or several separated by commas if each is known; a name may contain commas. Raises `ConfigError`
    that lists the closest known names for an unknown one.
    """
    spellings: dict[str, list[str]] = {}
    for name in dict.fromkeys(known):
        spellings.setdefault(_key(name), []).append(name)
    named: list[str] = []
    for text in texts:
        keys = _split(text.split(","), spellings.keys())
        if keys is None:
            unknown = [part.strip() for part in text.split(",") if part.strip() and _key(part) not in spellings]
            wrong = unknown[0] if unknown else text.strip()
            close = get_close_matches(_key(wrong), spellings, n=3) or sorted(spellings)[:5]
            near = ", ".join(repr(spellings[key][0]) for key in close) or "none"
            raise ConfigError(f"--exclude {wrong!r}: there is no skill of this name, the closest are {near}")
        named += [name for key in keys for name in spellings[key]]
    return list(dict.fromkeys(named))


def has_any_skill(skills: pa.ListArray, names: Sequence[str]) -> Mask:
    """Return for each row whether it has one of the named skills, compared as `canonical` compares names."""
    flat, wanted = pc.list_flatten(skills), {canonical(name) for name in names}
    spellings = [name for name in pc.unique(flat).to_pylist() if name is not None and canonical(name) in wanted]
    hits = pc.is_in(flat, pa.array(spellings, pa.string()))
    has_any = np.zeros(len(skills), bool)
    has_any[pc.list_parent_indices(skills).to_numpy()[hits.to_numpy(zero_copy_only=False)]] = True
    return has_any


def _split(parts: Sequence[str], known: Collection[str]) -> list[str] | None:
    """Return the known names that the parts make up, the longest first; None if a part belongs to none."""
    if not any(part.strip() for part in parts):
        return []
    for size in range(len(parts), 0, -1):
        head = _key(",".join(parts[:size]))
        if (head in known or not head) and (rest := _split(parts[size:], known)) is not None:
            return [head, *rest] if head else rest
    return None


def _key(name: str) -> str:
    """Return a name as it is compared: in NFKC, without case, with single spaces."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def deduct_named_skills(gradings: Gradings, names: list[str], texts: list[str], naming: Naming) -> int:
    """Set the points of skills that their text names to 0 in place; return the number of deducted points."""
    tests = [_name_test(name, naming) for name in names]
    assert gradings.skills is not None, "read_points requires the column"
    named = np.array([[tests[code](text) for code in row] for row, text in zip(gradings.skills, texts, strict=True)])
    skill_points: Any = gradings.points[:, :-OTHER_POINTS]
    deducted = int(np.count_nonzero(skill_points[named]))
    skill_points[named] = 0
    return deducted


def _name_test(name: str, naming: Naming) -> Callable[[str], bool]:
    """Return a function that tells whether a text names the skill."""
    short_name = (name.split("(", 1)[0].strip() or name).lower()
    if naming == "substring":
        return lambda text: short_name in text.lower()
    pattern = phrase_pattern([short_name])
    return lambda text: pattern is not None and pattern.search(text) is not None
