"""The reply journal: no paid request is sent twice, and nothing stored is lost."""

import asyncio
import random
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillmill.data.errors import StoreError
from skillmill.teachers.base import Reply, Request, Sampling
from skillmill.teachers.middleware.accounting import Counted, Usage
from skillmill.teachers.middleware.journal import Journal, Journalled, Stored, request_key, unanswered
from skillmill.teachers.middleware.resilience import Resilient


def request(text: str = "hello", **changes: Any) -> Request:
    fields: dict[str, Any] = {
        "messages": [{"role": "user", "content": text}],
        "sampling": Sampling(temperature=0.5),
        "seed": 1,
    }
    return Request(**fields | changes)


class Counting:
    """Replies to each request with the number of requests so far."""

    name = "counting"

    def __init__(self, text: str = "answer") -> None:
        self.requests, self.text = 0, text

    async def chat(self, request: Request) -> Reply:
        self.requests += 1
        return Reply(f"{self.text} {self.requests}", "stop", 5, 2)


def ask(teacher: Any, *requests: Request) -> list[str]:
    async def all_of_them() -> list[str]:
        return [(await teacher.chat(request)).text for request in requests]

    return asyncio.run(all_of_them())


def journalled(engine: Any, journal: Journal) -> Journalled:
    return Journalled(Stored(engine, journal), journal, {})


def test_a_known_request_is_answered_from_the_journal_also_after_a_restart(tmp_path: Path) -> None:
    engine, path = Counting(), tmp_path / "journal.sqlite"
    first = Journal(path)
    assert ask(journalled(engine, first), request(), request()) == ["answer 1", "answer 1"]
    first.close()
    assert ask(journalled(engine, Journal(path)), request()) == ["answer 1"]
    assert engine.requests == 1


@pytest.mark.parametrize(
    "other",
    [
        request("hello!"),
        request(seed=2),
        request(sampling=Sampling(temperature=0.6)),
        request(sampling=Sampling(temperature=0.5, min_p=0.1)),
        request(json_schema={"type": "object"}),
    ],
)
def test_what_changes_the_answer_changes_the_key(other: Request) -> None:
    assert request_key("m", {}, other) != request_key("m", {}, request())


def test_the_model_and_the_extra_body_are_in_the_key_the_stage_is_not() -> None:
    assert request_key("m", {}, request()) != request_key("n", {}, request())
    assert request_key("m", {"top_k": 3}, request()) != request_key("m", {}, request())
    assert request_key("m", {}, request(stage="refine")) == request_key("m", {}, request())


@given(st.text(max_size=200))
def test_any_text_comes_back_as_it_is(text: str) -> None:
    journal = Journal(Path(":memory:"))
    reply = Reply(text.encode("utf-8", "replace").decode(), "stop", 1, 1)
    journal.put(b"k", reply)
    assert journal.get(b"k") == reply


def test_lone_surrogates_are_made_harmless_before_anything_is_kept(tmp_path: Path) -> None:
    counted = Counted(Counting("\ud800 odd"), Usage())
    [text] = ask(journalled(counted, Journal(tmp_path / "j.sqlite")), request())
    assert text == "\ufffd odd 1"


def test_a_killed_process_loses_nothing_that_was_put(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from skillmill.teachers.middleware.journal import Journal; from skillmill.teachers.base import Reply\n"
        f"journal = Journal(Path({str(path)!r}))\n"
        "for i in range(200): journal.put(i.to_bytes(2, 'big'), Reply(str(i), 'stop', 1, 1))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    journal = Journal(path)
    assert len(journal) == 200
    last = journal.get((199).to_bytes(2, "big"))
    assert last is not None
    assert last.text == "199"


def test_a_killed_process_loses_no_reply_that_a_request_returned(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    code = (
        "import asyncio, os, signal; from pathlib import Path\n"
        "from skillmill.teachers.middleware.journal import Journal; from skillmill.teachers.base import Reply\n"
        f"journal, stored = Journal(Path({str(path)!r})), 0\n"
        "async def store(i):\n"
        "    global stored\n"
        "    await journal.store(i.to_bytes(2, 'big'), Reply(str(i), 'stop', 1, 1))\n"
        "    stored += 1\n"
        "    print(i, flush=True)\n"
        "    if stored == 300: os.kill(os.getpid(), signal.SIGKILL)\n"
        "async def main(): await asyncio.gather(*map(store, range(500)))\n"
        "asyncio.run(main())"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    returned = [int(line).to_bytes(2, "big") for line in ended.stdout.split()]
    assert len(returned) == 300
    assert unanswered(path, returned) == []


def test_a_reply_is_on_the_disk_before_its_slot_is_free(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    journal = Journal(path)

    class Watching:
        """Replies at once, and notes which of its earlier replies are not in the journal at the next request."""

        name = "watching"

        def __init__(self) -> None:
            self.replied: list[bytes] = []
            self.missing: list[int] = []

        async def chat(self, request: Request) -> Reply:
            self.missing.append(len(unanswered(path, self.replied)))
            self.replied.append(request.key)
            return Reply("text", "stop", 1, 1)

    async def all_at_once() -> None:
        teacher = Journalled(Resilient(Stored(engine, journal), max_in_flight=1), journal, {})
        await asyncio.gather(*(teacher.chat(request(str(i))) for i in range(20)))

    engine = Watching()
    asyncio.run(all_at_once())
    assert engine.missing == [0] * 20


def test_a_full_disk_ends_each_of_the_requests_that_wait(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    journal.put(b"first", Reply("text", "stop", 1, 1))
    journal._connection.execute("PRAGMA query_only=ON")

    async def all_at_once() -> list[Any]:
        teacher = journalled(Counting(), journal)
        return await asyncio.gather(*(teacher.chat(request(str(i))) for i in range(5)), return_exceptions=True)

    errors = asyncio.run(all_at_once())
    assert [type(error) for error in errors] == [StoreError] * 5


@pytest.mark.parametrize("characters", [300, 1000, 4000])
def test_the_disk_holds_at_most_one_and_a_half_times_the_payload(tmp_path: Path, characters: int) -> None:
    dice, payload, path = random.Random(0), 0, tmp_path / "journal.sqlite"
    journal = Journal(path)
    for i in range(600):
        text = "".join(
            dice.choices("abcdefghijklmnopqrstuvwxyz     ", k=characters)
        )  # compresses worse than natural language
        journal.put(dice.randbytes(16), Reply(text, "stop", i, i))
        payload += len(text)
    journal.close()
    assert path.stat().st_size <= 1.5 * payload


def test_a_file_that_is_no_journal_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_text("this is not a database, not at all, and long enough to be looked at " * 20)
    with pytest.raises(StoreError, match=r"journal\.sqlite is damaged \(file is not a database\); delete it"):
        Journal(path)


def test_a_journal_that_lost_its_end_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    journal = Journal(path)
    for i in range(200):
        journal.put(random.Random(i).randbytes(16), Reply(str(random.Random(i).random()) * 30, "stop", 1, 1))
    journal.close()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(StoreError, match=r"is damaged \(database disk image is malformed\); delete it and run again"):
        len(Journal(path))


def test_replies_of_plans_that_are_not_kept_are_deleted(tmp_path: Path) -> None:
    journal, engine, old, new = Journal(tmp_path / "journal.sqlite"), Counting(), "a" * 16, "b" * 16
    teachers = {plan: journalled(engine, journal.of_plan(plan)) for plan in (old, new)}
    ask(journalled(engine, journal), request("of no plan"))
    ask(teachers[old], request("of the old plan"), request("of both"))
    ask(teachers[new], request("of the new plan"), request("of both"))
    would = journal.delete_others([new], dry_run=True)
    assert (would[0], len(journal)) == (1, 4)
    assert journal.delete_others([new]) == would
    assert journal.delete_others([new]) == (0, 0)
    asked = engine.requests
    ask(teachers[new], request("of no plan"), request("of the new plan"), request("of both"))
    assert engine.requests == asked
    ask(teachers[old], request("of the old plan"))
    assert engine.requests == asked + 1


def test_a_journal_without_plans_is_read_and_kept(tmp_path: Path) -> None:
    path, engine = tmp_path / "journal.sqlite", Counting()
    journal = Journal(path)
    ask(journalled(engine, journal), request())
    journal.close()
    with sqlite3.connect(path) as earlier:
        earlier.execute("ALTER TABLE compressed_replies DROP COLUMN plan")
    earlier.close()
    journal = Journal(path)
    assert journal.delete_others(["a" * 16]) == (0, 0)
    assert ask(journalled(engine, journal.of_plan("b" * 16)), request()) == ["answer 1"]
    assert journal.delete_others(["a" * 16])[0] == 1  # the plan has adopted it
