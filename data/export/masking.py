"""Masking of exported rows: the texts of a row pass through a function, e.g. one that hides e-mail addresses."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

Mask = Callable[[str], str]
AnyRow = TypeVar("AnyRow", bound=Mapping[str, Any])

MESSAGE_COLUMNS = ("prompt", "completion", "chosen", "rejected")
TEXT_COLUMNS = ("draft", "critique", "explanation", "thinking", "draft_thinking", "raw", "topic", "query_type")


def masked_row(row: AnyRow, mask: Mask) -> AnyRow:
    """Return a copy of a sample, pair or grading row in which every text that a teacher wrote is masked."""
    masked = dict(row)
    for column in MESSAGE_COLUMNS:
        if row.get(column):
            masked[column] = [{**message, "content": mask(message["content"])} for message in row[column]]
    for column in TEXT_COLUMNS:
        if row.get(column):
            masked[column] = mask(row[column])
    if grade := row.get("grade"):
        skills = [{**skill, "evidence": skill["evidence"] and mask(skill["evidence"])} for skill in grade["skills"]]
        masked["grade"] = {**grade, "skills": skills}
    return cast(AnyRow, masked)
