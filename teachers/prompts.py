"""Prompts are documents: Jinja files in a `prompts/` folder beside the code that renders them.

Teacher text enters as a variable and is never rendered as a template itself.
"""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

Prompts = Path
"""A folder of `<turn>.jinja` files."""


@cache
def _environment(folder: Path) -> ImmutableSandboxedEnvironment:
    # Prompts are plain text for a model, not HTML: escaping would put &quot; into the data.
    return ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,  # a plan's prompts do not change while it runs, and a look at the disk a turn costs
    )


def render(folder: Prompts, turn: str, **variables: Any) -> str:
    """The text of one turn. An undefined variable is an error, not an empty string."""
    return _environment(folder).get_template(f"{turn}.jinja").render(**variables).strip()


def prompts_fingerprint(folder: Prompts) -> str:
    """16 hex digits over the names and sources of all prompt files in the folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.jinja")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
