"""Training records in the form of SELF (arXiv 2310.00533): an answer, feedback in words, and the refined answer."""

import orjson

from skillmill.data.records import SampleRow, SelfRow, text_of


def self_record(row: SampleRow) -> SelfRow | None:
    """Return the SELF record of a sample row, None if it has no draft and critique, or if its answer is the draft."""
    if not (row["draft"] and row["critique"]) or row["kept"]:
        return None
    return {
        "id": row["id"],
        "instruction": text_of(row["prompt"]),
        "answer": row["draft"],
        "feedback": feedback(row["critique"]),
        "refined_answer": text_of(row["completion"]),
    }


def feedback(critique: str) -> str:
    """Return a critique as prose: one `Key: text` line per string of a JSON object, any other critique unchanged."""
    try:
        content = orjson.loads(critique)
    except orjson.JSONDecodeError:
        return critique
    if not isinstance(content, dict):
        return critique
    texts = {key: text.strip() for key, text in content.items() if isinstance(text, str)}
    return "\n".join(f"{key.capitalize()}: {text}" for key, text in texts.items() if text) or critique
