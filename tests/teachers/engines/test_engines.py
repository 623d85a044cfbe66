"""Every engine is one module with two functions and one entry in `ENGINES`."""

import inspect
import subprocess
import sys

import pytest

from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.engines import ENGINES, EngineModule, engine_module
from skillmill.teachers.engines.shared import close_engines, discard, shared


class Resource:
    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("kind", ENGINES)
def test_an_engine_has_the_two_functions(kind: str) -> None:
    module = engine_module(kind)
    for name in ("engine_name", "open_engine"):
        expected = list(inspect.signature(getattr(EngineModule, name)).parameters)[1:]
        assert list(inspect.signature(getattr(module, name)).parameters) == expected
    assert (
        TeacherConfig.model_validate(
            {"kind": kind, "base_url": "http://h/v1" if kind == "openai" else None, "model": "m"}
        ).kind
        == kind
    )


def test_no_engine_is_imported_before_it_is_used() -> None:
    code = "import sys, skillmill.teachers.build; print({'aiohttp', 'xllamacpp'} & sys.modules.keys())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_equal_settings_share_a_resource_until_it_is_discarded_or_all_are_closed() -> None:
    first = shared(Resource, "test", {"a": 1, "b": 2})
    assert shared(Resource, "test", {"b": 2, "a": 1}) is first
    other = shared(Resource, "test", {"a": 2})
    assert other is not first
    discard(first)
    again = shared(Resource, "test", {"a": 1, "b": 2})
    assert again is not first
    close_engines()
    assert [first.closed, again.closed, other.closed] == [1, 1, 1]
