"""What a cell aims at beside its skills, said in the prompts: difficulty, length, language.

The prompts are in a folder of their own, which belongs to a plan only where it has targets: other plans keep theirs.
"""

from skillmill.generators.conversation import PROMPTS
from skillmill.teachers.prompts import Prompts

FOLDER = PROMPTS / "targets"


def aimed(prompt: str, templates: Prompts, turn: str, **targets: str | None) -> str:
    """The prompt with the targets said after it, by `target_<turn>.jinja`; as it is where there are none."""
    return f"{prompt}\n{templates.render(f'target_{turn}', **targets)}" if any(targets.values()) else prompt
