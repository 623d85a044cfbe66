"""Prompt text for a cell's targets: difficulty, length and language.

The target prompts are in a folder of their own, which is part of a plan's prompt fingerprint only if the plan has
targets. The fingerprints of plans without targets therefore do not depend on them.
"""

from skillmill.generators.conversation import PROMPTS
from skillmill.teachers.prompts import Prompts

FOLDER = PROMPTS / "targets"


def with_targets(prompt: str, templates: Prompts, turn: str, **targets: str | None) -> str:
    """Return the prompt followed by `target_<turn>.jinja`, or the prompt alone if all `targets` are None or empty.

    `templates` must include the files of `FOLDER` if any target is set.
    """
    return f"{prompt}\n{templates.render(f'target_{turn}', **targets)}" if any(targets.values()) else prompt
