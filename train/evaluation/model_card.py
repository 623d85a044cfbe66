"""The section on evaluation of a student's model card."""

from pathlib import Path
from typing import Any

from skillmill.data.files import write_atomic
from skillmill.train.evaluation.outputs import markdown_table
from skillmill.train.result import CARD

BEGIN, END = "<!-- evaluation: begin -->", "<!-- evaluation: end -->"


def write_on_card(folder: Path, metrics: dict[str, Any]) -> None:
    """Write the table of an evaluation into the model card of a training, in place of an earlier one.

    Nothing is written if the folder has no card. Raises `StoreError`.
    """
    path = folder / CARD
    if not path.is_file():
        return
    card = path.read_text(encoding="utf-8")
    before, _, rest = card.partition(BEGIN)
    after = rest.partition(END)[2] if rest else ""
    section = f"{BEGIN}\n## Evaluation\n\n{evaluation_text(metrics)}\n{END}"
    write_atomic(path, f"{before.rstrip()}\n\n{section}{after or chr(10)}".encode())


def evaluation_text(metrics: dict[str, Any]) -> str:
    """Return what was evaluated and the table, as Markdown."""
    settings = metrics["settings"]
    return (
        f"Skill-Mix (arXiv 2310.17567) by `skillmill evaluate` on cells of the taxonomy {settings['taxonomy']} that "
        f"training has not seen.\n\n{markdown_table(metrics)}"
    )
