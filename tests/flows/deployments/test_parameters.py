"""Parameters of a flow run are read once, and a wrong one is named in one line."""

from datetime import UTC, datetime
from typing import Any

import pytest

from skillmill.data.errors import ConfigError
from skillmill.flows.deployments.parameters import Parameters, PublishParameters, RefreshParameters, read_parameters


@pytest.mark.parametrize(
    ("model", "values", "line"),
    [
        (Parameters, {}, "config_path: Field required"),
        (Parameters, {"config_path": ""}, "config_path: String should have at least 1 character"),
        (Parameters, {"config_path": 7}, "config_path: Input should be a valid string"),
        (Parameters, {"config_path": "a", "overrides": "seed=7"}, "overrides: Input should be a valid list"),
        (Parameters, {"config_path": "a", "overrides": [7]}, "overrides[0]: Input should be a valid string"),
        (Parameters, {"config_path": "a", "overrides": ["seed"]}, "overrides: expected key.path=value"),
        (Parameters, {"config_path": "a", "overrides": ["=7"]}, "overrides: expected key.path=value"),
        (
            Parameters,
            {"config_path": "a", "overides": []},
            "overides: unknown parameter, expected one of ",
        ),
        (RefreshParameters, {"config_path": "a", "scheduled_time": "soon"}, "scheduled_time: expected a time in ISO"),
        (RefreshParameters, {"config_path": "a", "scheduled_time": 7}, "scheduled_time: "),
        (PublishParameters, {"config_path": "a", "without_license": "perhaps"}, "without_license: "),
    ],
)
def test_a_wrong_parameter_is_named(model: type[Parameters], values: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_parameters(model, values)
    assert str(refused.value).startswith(line)
    assert "\n" not in str(refused.value)


def test_empty_fields_of_a_form_have_their_defaults() -> None:
    given = read_parameters(RefreshParameters, {"config_path": "a", "overrides": None, "scheduled_time": None})
    assert given == RefreshParameters(config_path="a", overrides=[], scheduled_time=None)


@pytest.mark.parametrize("text", ["2026-11-30T03:00:00Z", "2026-11-30T04:00:00+01:00", "2026-11-30 03:00"])
def test_a_time_is_read_as_the_command_line_reads_it(text: str) -> None:
    given = read_parameters(RefreshParameters, {"config_path": "a", "scheduled_time": text})
    assert given.scheduled_time == datetime(2026, 11, 30, 3, tzinfo=UTC)
