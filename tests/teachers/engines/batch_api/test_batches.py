"""Requests in batches of a real HTTP server: what each fate of a batch means for its requests."""

import asyncio
import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from batch_calls import QUICK, Run, ask, calls, questions, request, submitted, texts
from batch_server import BatchServer, Options

from skillmill.data.errors import TeacherError
from skillmill.data.reasons import BAD_REQUEST, TRANSPORT
from skillmill.teachers.base import Reply, RequestFailed
from skillmill.teachers.engines.batch_api import batches
from skillmill.teachers.engines.batch_api.record import BatchFolder, BatchRecord, read_records
from skillmill.teachers.middleware.accounting import Budget, BudgetMet


def test_requests_that_come_together_share_a_batch(tmp_path: Path) -> None:
    replies, server = ask(tmp_path, questions(30))
    assert all(isinstance(reply, Reply) and reply.text and reply.prompt_tokens for reply in replies)
    assert submitted(server) == [texts(questions(30))]
    assert server.plain == 0
    assert not list((tmp_path / "batches/teacher").glob("*.json*"))  # nothing is kept of a finished batch


def test_equal_prompts_with_different_seeds_stay_apart_and_equal_requests_are_one(tmp_path: Path) -> None:
    replies, server = ask(tmp_path, [request("same", seed=1), request("same", seed=2), request("same", seed=1)])
    [batch] = server.batches.values()
    assert len({line["custom_id"] for line in batch.requests}) == len(batch.requests) == 2
    assert replies[0].text == replies[2].text != replies[1].text


def test_replies_are_journalled_and_not_asked_for_again(tmp_path: Path) -> None:
    async def call(run: Run) -> None:
        await run.ask(questions(5))

    server = calls(tmp_path, Options(), call, call)
    assert len(server.batches) == 1


def test_limits_of_a_batch_are_kept_with_several_batches_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "MOST_REQUESTS", 8)
    monkeypatch.setattr(batches, "MOST_BYTES", 1200)
    replies, server = ask(tmp_path, questions(20))
    assert all(isinstance(reply, Reply) for reply in replies)
    assert sorted(text for batch in submitted(server) for text in batch) == sorted(texts(questions(20)))
    assert all(len(batch) <= 8 for batch in submitted(server))
    uploads = [server.deleted[batch.file] for batch in server.batches.values()]
    assert all(len(content) <= 1200 for content in uploads)


def test_max_in_flight_bounds_what_is_in_batches(tmp_path: Path) -> None:
    replies, server = ask(tmp_path, questions(10), max_in_flight=4)
    assert all(isinstance(reply, Reply) for reply in replies)
    assert [len(batch) for batch in submitted(server)] == [4, 4, 2]


def test_requests_that_keep_coming_do_not_hold_up_a_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "PACE", replace(QUICK, gather_s=0.4, longest_gather_s=0.1))

    async def call(run: Run) -> None:
        asking = list[asyncio.Future[Reply]]()
        while not run.server.batches:
            asking.append(asyncio.ensure_future(run.teacher.chat(request(f"q{len(asking)}"))))
            await asyncio.sleep(0.01)
        assert all(isinstance(reply, Reply) for reply in await asyncio.gather(*asking))

    server = calls(tmp_path, Options(latency=0.01), call)
    assert sum(len(batch) for batch in submitted(server)) > 1


def test_a_refused_request_costs_itself_alone(tmp_path: Path) -> None:
    requests = questions(120)
    requests[::30] = [request(f"poison {number}") for number in range(4)]
    replies, server = ask(tmp_path, requests, bad="poison")
    failed = [reply for reply in replies if not isinstance(reply, Reply)]
    assert len(failed) == 4
    assert all(isinstance(each, RequestFailed) and each.reason == BAD_REQUEST for each in failed)
    assert "not welcome" in failed[0].detail
    assert len(server.batches) == 1


@pytest.mark.parametrize("fate", ["expired", "lacking", "errors:429", "errors:500"])
def test_requests_without_an_answer_go_into_the_next_batch(tmp_path: Path, fate: str) -> None:
    replies, server = ask(tmp_path, questions(9), fates=fate)
    assert all(isinstance(reply, Reply) for reply in replies)
    first, second = submitted(server)
    assert len(first) == 9
    assert sorted(second) == [f"q{number}" for number in (1, 3, 5, 7)]


@pytest.mark.parametrize("fate", ["expired:none", "errors:500:all"])
def test_a_request_is_given_up_after_its_tries_alone(tmp_path: Path, fate: str) -> None:
    replies, server = ask(tmp_path, questions(5), fates=",".join([fate] * 3))
    assert all(isinstance(reply, RequestFailed) and reply.reason == TRANSPORT for reply in replies)
    assert "(3 tries)" in replies[0].detail
    assert len(server.batches) == 3


def test_many_failures_beside_more_replies_stop_nothing(tmp_path: Path) -> None:
    """Two of five requests are refused with the same words, more than would stop a run in a row."""
    requests = [request(f"{'poison' if number % 5 < 2 else 'fine'} {number}") for number in range(300)]
    replies, _ = ask(tmp_path, requests, bad="poison")
    assert sum(isinstance(reply, RequestFailed) for reply in replies) == 120
    assert sum(isinstance(reply, Reply) for reply in replies) == 180


def test_a_server_that_refuses_everything_stops_the_run(tmp_path: Path) -> None:
    replies, server = ask(tmp_path, questions(30), bad="q")
    assert any(isinstance(reply, TeacherError) and "refuses every request" in str(reply) for reply in replies)
    assert len(server.batches) == 1


def test_fields_that_the_server_refuses_are_left_out_of_the_next_batch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    replies, server = ask(tmp_path, questions(6), refuse="seed")
    assert all(isinstance(reply, Reply) for reply in replies)
    assert ["seed" in batch.requests[0]["body"] for batch in server.batches.values()] == [True, False]
    assert "seed is not sent" in caplog.text


def test_a_batch_with_a_faulty_line_is_submitted_again_without_it(tmp_path: Path) -> None:
    replies, server = ask(tmp_path, questions(6), fates="faulty")
    assert isinstance(replies[1], RequestFailed)
    assert all(isinstance(reply, Reply) for number, reply in enumerate(replies) if number != 1)
    assert submitted(server)[1] == [f"q{number}" for number in (0, 2, 3, 4, 5)]


@pytest.mark.parametrize("code", ["billing_hard_limit_reached", "model_not_found"])
def test_a_batch_that_fails_as_a_whole_stops_the_run_and_is_asked_for_again(tmp_path: Path, code: str) -> None:
    replies, again = [], []

    async def first(run: Run) -> None:
        replies.extend(await run.ask(questions(4)))

    async def second(run: Run) -> None:
        again.extend(await run.ask(questions(4)))

    calls(tmp_path, Options(latency=0.01, fates=f"failed:{code}"), first, second)
    assert all(isinstance(reply, TeacherError) and code in str(reply) for reply in replies)
    assert all(isinstance(reply, Reply) for reply in again)


def run_of(server: BatchServer) -> list[list[str]]:
    """The texts of the requests in each batch that did not fail as a whole."""
    return [
        texts_of for texts_of, batch in zip(submitted(server), server.batches.values(), strict=True) if batch.answers
    ]


def test_without_room_for_so_many_requests_batches_are_smaller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(batches, "LEAST_SPLIT", 2)
    replies, server = ask(tmp_path, questions(20), most_requests=6)
    assert all(isinstance(reply, Reply) for reply in replies)
    assert [len(batch) for batch in run_of(server)] == [5, 5, 5, 5]
    assert "from now on batches of at most 5 requests" in caplog.text


def test_without_room_for_so_many_batches_fewer_are_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MOST_REQUESTS", 4)
    replies, server = ask(tmp_path, questions(16), most_open=2)
    assert all(isinstance(reply, Reply) for reply in replies)
    assert sorted(text for batch in run_of(server) for text in batch) == sorted(texts(questions(16)))


def test_a_file_that_is_too_large_is_split(tmp_path: Path) -> None:
    replies, server = ask(tmp_path, questions(16), most_bytes=1500)
    assert all(isinstance(reply, Reply) for reply in replies)
    assert sorted(text for batch in submitted(server) for text in batch) == sorted(texts(questions(16)))


def test_a_provider_that_stays_full_ends_the_run(tmp_path: Path) -> None:
    replies, _ = ask(tmp_path, questions(4), most_requests=1)
    assert all(isinstance(reply, TeacherError) and "Enqueued token limit" in str(reply) for reply in replies)


@pytest.mark.parametrize(("call", "status"), [("upload", 429), ("create", 429), ("poll", 503), ("content", 503)])
def test_calls_that_fail_for_a_moment_are_made_again(tmp_path: Path, call: str, status: int) -> None:
    replies, server = ask(tmp_path, questions(3), statuses=f"{call}:{status}:2")
    assert all(isinstance(reply, Reply) for reply in replies)
    assert len(server.batches) == 1


@pytest.mark.parametrize("call", ["upload", "create", "poll"])
def test_a_lost_answer_does_not_submit_twice(tmp_path: Path, call: str) -> None:
    replies, server = ask(tmp_path, questions(3), lost=f"{call}:1")
    assert all(isinstance(reply, Reply) for reply in replies)
    assert len(server.batches) == 1


@pytest.mark.parametrize("path", ["files", "batches"])
def test_a_server_without_the_api_is_one_clear_line(tmp_path: Path, path: str) -> None:
    replies, _ = ask(tmp_path, questions(3), no_api=path)
    assert all(isinstance(reply, TeacherError) for reply in replies)
    assert str(replies[0]).startswith("teacher.batch: the server at http://127.0.0.1:")
    assert f"has no batch API (POST {path}: HTTP 404: Unknown request URL" in str(replies[0])


def test_a_server_that_stays_away_ends_the_run(tmp_path: Path) -> None:
    replies, server = ask(tmp_path, questions(3), statuses="poll:503:1000")
    assert all(isinstance(reply, TeacherError) and "keeps failing" in str(reply) for reply in replies)
    assert [record.batch_id for record in read_records(tmp_path / "batches/teacher")] == [*server.batches]


def test_a_cancelled_batch_stops_the_run_and_only_the_rest_is_submitted_again(tmp_path: Path) -> None:
    replies, again = [], []

    async def first(run: Run) -> None:
        replies.extend(await run.ask(questions(6)))

    async def second(run: Run) -> None:
        again.extend(await run.ask(questions(6)))

    server = calls(tmp_path, Options(latency=0.01, fates="cancelled"), first, second)
    assert [isinstance(reply, Reply) for reply in replies] == [True, False] * 3
    assert all(isinstance(reply, TeacherError) and "was cancelled" in str(reply) for reply in replies[1::2])
    assert all(isinstance(reply, Reply) for reply in again)
    assert submitted(server)[1] == ["q1", "q3", "q5"]


@pytest.mark.parametrize("point", ["gathered", "uploading", "creating", "polling", "reading"])
def test_a_call_that_is_stopped_leaves_a_batch_that_the_next_one_waits_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, point: str
) -> None:
    caplog.set_level(logging.INFO)
    requests, again = questions(10), list[Any]()

    async def first(run: Run) -> None:
        asking = asyncio.ensure_future(run.ask(requests))

        def there() -> bool:
            of = run.server
            return {
                "gathered": run.usage.waits_for != "",
                "uploading": bool(of.files or of.deleted),
                "creating": bool(of.batches),
                "polling": of.calls.get("poll", 0) > 0,
                "reading": of.calls.get("content", 0) > 0,
            }[point]

        while not there():  # noqa: ASYNC110 (the server has no event for it)
            await asyncio.sleep(0.001)
        asking.cancel()

    async def second(run: Run) -> None:
        again.extend(await run.ask(requests))

    slow = {"uploading": "upload:0.3", "creating": "create:0.3", "reading": "content:0.3"}.get(point, "")
    server = calls(tmp_path, Options(latency=0.03, slow=slow), first, second)
    assert all(isinstance(reply, Reply) for reply in again)
    assert sorted(text for batch in submitted(server) for text in batch) == sorted(texts(requests))
    assert not list((tmp_path / "batches/teacher").glob("*.json*"))
    if point == "polling":
        assert "teacher: batch batch_0 goes on at the provider; the same command waits for the answers" in caplog.text
        assert "teacher: waiting for batch batch_0 of an earlier call" in caplog.text


def test_answers_that_nobody_took_are_there_for_a_later_call(tmp_path: Path) -> None:
    later = []

    async def first(run: Run) -> None:
        asking = [asyncio.ensure_future(run.teacher.chat(each)) for each in questions(10)]
        while not run.server.batches:  # noqa: ASYNC110 (the server has no event for it)
            await asyncio.sleep(0.001)
        for each in asking[4:]:  # their rows are not needed any more
            each.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    async def second(run: Run) -> None:
        later.extend(await run.ask(questions(12)))

    server = calls(tmp_path, Options(latency=0.03), first, second)
    assert all(isinstance(reply, Reply) for reply in later)
    assert submitted(server) == [texts(questions(10)), ["q10", "q11"]]


def test_answers_that_a_killed_process_took_are_not_waited_for_again(tmp_path: Path) -> None:
    folder, before = tmp_path / "batches/teacher", tmp_path / "before"

    async def first(run: Run) -> None:
        asking = asyncio.ensure_future(run.ask(questions(5)))
        while not run.server.batches:  # noqa: ASYNC110 (the server has no event for it)
            await asyncio.sleep(0.001)
        shutil.copytree(folder, before)
        await asking

    async def second(run: Run) -> None:
        replies = await run.ask([*questions(5), request("new")])
        assert all(isinstance(reply, Reply) for reply in replies)

    async def kill(_: Run) -> None:
        shutil.rmtree(folder)
        shutil.copytree(before, folder)

    server = calls(tmp_path, Options(latency=0.03), first, kill, second)
    assert submitted(server) == [texts(questions(5)), ["new"]]
    assert not list(folder.glob("*.json*"))


def test_a_batch_of_another_server_or_model_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "batches/teacher"
    folder.mkdir(parents=True)
    other = BatchRecord("other", "http://other/v1", "m", 1, 1.0, {})
    BatchFolder(folder).save(other)
    replies, _ = ask(tmp_path, questions(2))
    assert all(isinstance(reply, Reply) for reply in replies)
    assert list(read_records(folder)) == [other]


def test_a_budget_is_not_exceeded_by_a_batch(tmp_path: Path) -> None:
    usage = []

    async def call(run: Run) -> None:
        usage.append((await run.ask(questions(60)), run.usage))

    server = calls(tmp_path, Options(latency=0.01), call, budget=Budget(tokens=3000))
    [(replies, used)] = usage
    assert any(isinstance(reply, BudgetMet) for reply in replies)
    assert 2500 < used.tokens <= 3000
    assert len(submitted(server)[0]) <= 3000 // 200 < sum(isinstance(reply, Reply) for reply in replies)


def test_hours_that_are_over_end_the_wait_and_the_next_call_waits_for_the_same_batch(tmp_path: Path) -> None:
    ends = []

    async def first(run: Run) -> None:
        ends.append((await run.ask(questions(5)), run.server.calls.get("poll", 0)))
        run.server.options.latency = 0.01

    async def second(run: Run) -> None:
        run.usage.budget = Budget()
        ends.append((await run.ask(questions(5)), run.server.calls["poll"]))

    server = calls(tmp_path, Options(latency=60), first, second, budget=Budget(hours=2 / 3600))
    [(stopped, polls), (replies, polls_then)] = ends
    assert all(isinstance(reply, BudgetMet) and reply.reason.startswith("budget.hours: ") for reply in stopped)
    assert all(isinstance(reply, Reply) for reply in replies)
    assert (len(server.batches), 0 < polls < polls_then) == (1, True)


def test_progress_tells_what_is_waited_for(tmp_path: Path) -> None:
    said = []

    async def call(run: Run) -> None:
        asking = asyncio.ensure_future(run.ask(questions(4)))
        while not asking.done():
            said.append(run.usage.waits_for)
            await asyncio.sleep(0.002)

    calls(tmp_path, Options(latency=0.03), call)
    assert "teacher: 4 requests to submit" in said
    assert "teacher: 1 batch open with 0 of 4 requests done" in said
