"""Errors of pydantic in the words of YAML."""

from typing import Any

import pytest
from pydantic import BaseModel, Field, ValidationError, field_validator

from skillmill.data.inputs.validation import key_prefix, validation_message


class Inner(BaseModel):
    name: str = ""

    @field_validator("name")
    @classmethod
    def _is_lower_case(cls, name: str) -> str:
        if name != name.lower():
            raise ValueError("expected lower case")
        return name


class Outer(BaseModel):
    inner: Inner = Inner()
    parts: tuple[Inner, ...] = Field((Inner(),), min_length=1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"inner": 1}, "inner: expected a section of keys and values"),
        ({"parts": 1}, "parts: expected a list"),
        ({"parts": []}, "parts: expected a list of at least 1, got 0"),
        ({"parts": [{}, {"name": "A"}]}, "parts[1].name: expected lower case"),
    ],
)
def test_an_error_names_its_key_and_what_was_expected(content: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as error:
        Outer.model_validate(content)
    [first] = error.value.errors()
    assert key_prefix(first["loc"]) + validation_message(first) == message


def test_the_whole_file_has_no_prefix() -> None:
    assert key_prefix(()) == ""
