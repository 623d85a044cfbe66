"""Worked examples: a prompt file of JSON objects, one a line, checked, for a user may bring their own."""

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from skillmill.data.errors import ConfigError
from skillmill.data.inputs.validation import key_prefix, validation_message
from skillmill.skill_taxonomy.taxonomy import Skill
from skillmill.teachers.prompts import Prompts


class _Example(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    skills: tuple[Skill, ...] = Field(min_length=1)


class TextExample(_Example):
    """Skill-Mix: a text on a topic, and where in it each skill is seen."""

    topic: str
    answer: str
    explanation: str


class InstructionExample(_Example):
    """Instruct-SkillMix: an instruction in its two forms, `short` (a question under each skill's name) and `full`."""

    query_type: str
    short: dict[str, str]
    full: str


Example = TypeVar("Example", bound=_Example)


def worked_examples(prompts: Prompts, turn: str, form: type[Example]) -> list[Example]:
    """The examples in the file of `turn`, at least one. Raises `ConfigError` that names the file and line."""
    lines = [line for line in prompts.render(turn).splitlines() if line.strip()]
    if not lines:
        raise ConfigError(f"{prompts.path(turn)}: expected a JSON object on every line, found none")
    return [_example(line, f"{prompts.path(turn)}: example {i}", form) for i, line in enumerate(lines, start=1)]


def _example(line: str, where: str, form: type[Example]) -> Example:
    try:
        return form.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ConfigError(f"{where}: {key_prefix(first['loc'])}{validation_message(first)}") from None
