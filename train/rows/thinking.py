"""What a reasoning teacher thought, as a part of the answers that a student learns.

It goes into the field of a message that the student's chat template reads, or else before the answer between `<think>`
and `</think>`, which most reasoning models write themselves.
"""

import re
from pathlib import Path
from typing import Any

from skillmill.data.export.thinking import THINKING, with_thinking
from skillmill.train.config import TEMPLATE
from skillmill.train.job import Job
from skillmill.train.presets import template_file
from skillmill.train.student import student_path

FIELDS = ("reasoning_content", "thinking")
"""The fields of a message in which chat templates look for reasoning."""
METHODS = ("sft", "kto")
"""The methods whose answers have thinking. Both answers of a preference pair have none, because only one has some."""


def learns_thinking(job: Job) -> bool:
    """Return whether the student of a job learns to write the column `thinking`, if a set has one."""
    return job.stage in METHODS and job.settings.thinking


def thinking_field(job: Job) -> str | None:
    """Return the field of a message in which the chat template of the job's student reads reasoning, None if none."""
    template = _chat_template(job)
    return next((field for field in FIELDS if re.search(rf"\.{field}\b|\[['\"]{field}['\"]\]", template)), None)


def think_first(row: dict[str, Any], field: str | None) -> dict[str, Any]:
    """Return the completion of a row with the row's thinking, in a field of its messages or before the answer."""
    completion, thinking = row["completion"], row[THINKING]
    if field is not None:
        return {"completion": [{**message, field: thinking} for message in completion]}
    return {"completion": with_thinking(completion, thinking) if thinking else completion}


def _chat_template(job: Job) -> str:
    from transformers import AutoTokenizer

    configured = job.settings.args.get(TEMPLATE)
    path = None if configured is None else template_file(str(configured))
    if path is not None and Path(path).is_file():
        return Path(path).read_text(encoding="utf-8")
    source = path or (str(job.start.path) if job.start else student_path(job.student))
    template = AutoTokenizer.from_pretrained(source).chat_template
    return template if isinstance(template, str) else str(template or "")
