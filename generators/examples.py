"""Worked examples for prompts: files of JSON objects, one per line, validated because users may replace them."""

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from skillmill.data.errors import ConfigError
from skillmill.data.inputs.validation import key_prefix, validation_message
from skillmill.skill_taxonomy.taxonomy import Skill
from skillmill.teachers.prompts import Prompts


class _Example(BaseModel):
    """Fields that examples of every generator have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    skills: tuple[Skill, ...] = Field(min_length=1)


class TextExample(_Example):
    """An example for Skill-Mix: a text on a topic, and an explanation of where it shows each skill."""

    topic: str
    answer: str
    explanation: str


class InstructionExample(_Example):
    """An example for Instruct-SkillMix: an instruction in both forms.

    `short` maps the name of each skill to a question, `full` is a single text.
    """

    query_type: str
    short: dict[str, str]
    full: str


Example = TypeVar("Example", bound=_Example)


def read_examples(prompts: Prompts, turn: str, model: type[Example]) -> list[Example]:
    """Return the examples in the prompt file of `turn`, at least one.

    Raises `ConfigError` with the file and the number of the example if one is invalid or the file has none.
    """
    lines = [line for line in prompts.render(turn).splitlines() if line.strip()]
    if not lines:
        raise ConfigError(f"{prompts.path(turn)}: expected a JSON object on every line, found none")
    return [_parse(line, f"{prompts.path(turn)}: example {i}", model) for i, line in enumerate(lines, start=1)]


def _parse(line: str, place: str, model: type[Example]) -> Example:
    try:
        return model.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ConfigError(f"{place}: {key_prefix(first['loc'])}{validation_message(first)}") from None
