"""The parameters of the deployed flows: one model for each flow, of which Prefect's UI makes a form."""

import inspect
from datetime import datetime
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from skillmill.data.errors import ConfigError
from skillmill.data.inputs.validation import key_prefix, validation_message
from skillmill.flows.refresh.refresh import parse_time


class Parameters(BaseModel):
    """The parameters that every flow has."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    config_path: str = Field(
        min_length=1, description="The absolute path of the configuration on the machine of the worker."
    )
    overrides: list[str] = Field(
        [], description="Values that replace some of the configuration, such as generation.samples=500. No secrets."
    )

    @field_validator("overrides", mode="before")
    @classmethod
    def _null_is_no_override(cls, value: object) -> object:
        return [] if value is None else value

    @field_validator("overrides")
    @classmethod
    def _overrides_have_keys(cls, value: list[str]) -> list[str]:
        for override in value:
            if not override.partition("=")[0].strip() or "=" not in override:
                raise ValueError(f"expected key.path=value, such as generation.samples=500, got {override!r}")
        return value


class RefreshParameters(Parameters):
    """The parameters of the flow refresh."""

    scheduled_time: datetime | None = Field(
        None,
        description="When the refresh was due. Empty: the time of the schedule that started the run, or none.",
    )

    @field_validator("scheduled_time", mode="before")
    @classmethod
    def _time_has_one_form(cls, value: object) -> object:
        return datetime.fromisoformat(parse_time(value, "scheduled_time")) if isinstance(value, str) else value


class PublishParameters(Parameters):
    """The parameters of the flow publish."""

    without_license: bool = Field(False, description="Publish openly although teacher.license is not set.")


class EvaluateParameters(Parameters):
    """The parameters of the flow evaluate."""

    student: str | None = Field(
        None, description="last, base, or the path of a model or .gguf file. Empty: evaluate.student."
    )
    baseline: str | None = Field(None, description="What to compare with, as for student. Empty: evaluate.baseline.")

    @field_validator("student", "baseline")
    @classmethod
    def _an_empty_field_is_null(cls, value: str | None) -> str | None:
        return value or None


Model = TypeVar("Model", bound=Parameters)


def signature_of(model: type[Parameters]) -> inspect.Signature:
    """Return the signature whose arguments are the fields of `model`, from which Prefect makes its schema."""
    arguments = []
    for name, field in model.model_fields.items():
        type_: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
        default = Field(... if field.is_required() else field.default, description=field.description)
        arguments.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=type_))
    return inspect.Signature(arguments)


def read_parameters(model: type[Model], values: dict[str, Any]) -> Model:
    """Return the parameters of a flow run. Raises `ConfigError` that names the first one that is wrong."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        message = validation_message(first)
        if first["type"] == "extra_forbidden":
            message = f"unknown parameter, expected one of {', '.join(model.model_fields)}"
        raise ConfigError(f"{key_prefix(first['loc'])}{message}") from None
