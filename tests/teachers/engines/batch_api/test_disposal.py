"""Files at the provider are deleted once their batch is finished, and never before."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from batch_calls import Run, ask, calls, questions, request
from batch_server import Options

from skillmill.teachers.base import Reply
from skillmill.teachers.engines.batch_api import disposal
from skillmill.teachers.engines.batch_api.record import read_records
from skillmill.teachers.middleware.journal import unanswered


def test_files_at_the_provider_are_deleted_once_all_replies_are_journalled(tmp_path: Path) -> None:
    missing = list[Any]()

    async def call(run: Run) -> None:
        def journalled(_: str) -> None:
            asked = [bytes.fromhex(line["custom_id"]) for each in run.server.batches.values() for line in each.requests]
            missing.append(len(unanswered(tmp_path / "journal.sqlite", asked)))

        run.server.on_delete = journalled
        await run.ask([*questions(6), request("poison")])

    server = calls(tmp_path, Options(latency=0.01, bad="poison"), call)
    assert server.files == {}
    assert missing == [1, 1, 1]  # requests, answers, errors; the refused request has no reply


def test_files_that_the_provider_does_not_delete_are_no_fault(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    replies, server = ask(tmp_path, questions(4), statuses="delete:403:9")
    assert all(isinstance(reply, Reply) for reply in replies)
    assert len(server.files) == server.calls["delete"] == 2
    assert "teacher: file file-0 stays at the provider: " in caplog.text
    assert not list((tmp_path / "batches/teacher").glob("*.json*"))


def test_files_that_a_call_did_not_see_deleted_are_deleted_by_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disposal, "LONGEST_S", 0.01)
    folder = tmp_path / "batches/teacher"

    async def first(run: Run) -> None:
        run.server.options.slow = "delete:60"
        await run.ask(questions(4))

    async def second(run: Run) -> None:
        assert [record.left for record in read_records(folder)] == [[]]
        assert len(run.server.files) == 1  # the answer to the first deletion did not come
        run.server.options.slow = ""
        while run.server.files or list(folder.glob("*.json*")):  # noqa: ASYNC110 (there is no event for it)
            await asyncio.sleep(0.001)

    server = calls(tmp_path, Options(latency=0.01), first, second)
    assert server.calls["delete"] == 3
