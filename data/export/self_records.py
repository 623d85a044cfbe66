"""SELF-style records: an instruction, an answer, feedback on it in plain words, and the answer made anew from that."""

from typing import Any

import orjson

from skillmill.data.records import text_of


def self_record(row: dict[str, Any]) -> dict[str, Any] | None:
    """The record of a sample row; None where the row has no draft, or nobody said anything of it (papers.md 6.1)."""
    if not (row["draft"] and row["critique"]):
        return None
    return {
        "id": row["id"],
        "instruction": text_of(row["prompt"]),
        "answer": row["draft"],
        "feedback": feedback(row["critique"]),
        "refined_answer": text_of(row["completion"]),
    }


def feedback(critique: str) -> str:
    """A critique in plain words: the texts of a JSON object under their names; any other text as it is."""
    try:
        said = orjson.loads(critique)
    except orjson.JSONDecodeError:
        return critique
    texts = {key: text.strip() for key, text in said.items() if isinstance(text, str)} if isinstance(said, dict) else {}
    return "\n".join(f"{key.capitalize()}: {text}" for key, text in texts.items() if text) or critique
