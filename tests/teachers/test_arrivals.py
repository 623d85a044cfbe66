"""Answers are read together where the engine has a line of requests waiting, and at once where it has none."""

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from skillmill.teachers import arrivals
from skillmill.teachers.arrivals import Arrivals, GatheringLoop, has_line, lines
from skillmill.teachers.middleware.concurrency import Load


@contextmanager
def two_pipes(**in_line: bool) -> Iterator[tuple[Arrivals, list[int]]]:
    """What watches two pipes, and their ends to write to; `in_line` says which servers have a line."""
    with ExitStack() as stack:
        selector, ends = Arrivals(), []
        stack.callback(selector.close)
        selector.lines.update(in_line)
        for _ in range(2):
            reading, writing = os.pipe()
            stack.callback(os.close, reading)
            stack.callback(os.close, writing)
            selector.register(reading, 1)
            ends.append(writing)
        yield selector, ends


@pytest.mark.parametrize(
    ("in_line", "together"),
    [
        ({"teacher": True}, 2),
        ({"teacher": True, "grader": True}, 2),
        ({"teacher": True, "grader": False}, 1),  # the grader would idle
        ({"teacher": False}, 1),
        ({}, 1),
    ],
)
def test_what_comes_shortly_after_is_read_with_it_where_every_server_has_a_line(
    in_line: dict[str, bool], together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "GATHER_S", 1.0)
    with two_pipes(**in_line) as (selector, ends):
        os.write(ends[0], b"an answer")
        later = threading.Timer(0.2, os.write, (ends[1], b"the next one"))
        later.start()
        assert len(selector.select(10)) == together
        later.join()
        assert len(selector.select(0)) == 2


def test_a_loop_with_something_to_do_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "GATHER_S", 30.0)
    with two_pipes(teacher=True) as (selector, _):
        begun = time.monotonic()
        assert selector.select(0) == selector.select(0.01) == []
        assert time.monotonic() - begun < 10


def test_it_waits_as_long_as_it_was_told_and_wakes_up_for_what_comes_late() -> None:
    with two_pipes(teacher=True) as (selector, ends):
        begun = time.monotonic()
        assert selector.select(0.2) == []
        assert time.monotonic() - begun >= 0.19
        later = threading.Timer(0.2, os.write, (ends[0], b"late"))
        later.start()
        assert len(selector.select()) == 1
        later.join()


@pytest.mark.parametrize(
    ("load", "waits"),
    [
        (None, False),  # it does not tell
        (Load(running=64, waiting=0), False),
        (Load(running=64, waiting=7), False),  # they would be gone too soon
        (Load(running=64, waiting=32), True),
        (Load(running=0, waiting=0), False),
    ],
)
def test_an_eighth_of_what_runs_is_a_line(load: Load | None, waits: bool) -> None:
    assert has_line(load) is waits


def test_lines_are_those_of_the_running_loop() -> None:
    async def own() -> bool:
        loop = asyncio.get_running_loop()
        return isinstance(loop, GatheringLoop) and lines() is loop.arrivals.lines

    async def other() -> dict[object, bool]:
        lines()["nobody looks at it"] = True
        return lines()

    with asyncio.Runner(loop_factory=GatheringLoop) as runner:
        assert runner.run(own())
    assert asyncio.run(other()) == {}
