"""The engine `embedded` with the real model: one engine for the whole file."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from skillmill.data.errors import ConfigError, TeacherError
from skillmill.data.reasons import BAD_REQUEST, CONTEXT_LENGTH
from skillmill.data.records import Message
from skillmill.teachers.base import Reply, Request, RequestFailed, Sampling
from skillmill.teachers.embedded_model.weights import embedded_weights
from skillmill.teachers.engines.embedded import Embedded, embedded_name
from skillmill.teachers.structured import object_schema

pytestmark = pytest.mark.model

CONTEXT = 256


@pytest.fixture(scope="module")
def teacher() -> Iterator[Embedded]:
    engine = Embedded(None, 4, {"n_ctx": 4 * CONTEXT})
    yield engine
    engine.close()


def question(text: str, seed: int = 1, max_tokens: int = 24, **more: object) -> Request:
    return Request([{"role": "user", "content": text}], Sampling(max_tokens=max_tokens, **more), seed)


def ask(teacher: Embedded, *requests: Request) -> list[Reply]:
    async def all_of_them() -> list[Reply]:
        return await asyncio.gather(*map(teacher.chat, requests))

    return asyncio.run(all_of_them())


def test_an_answer_has_text_and_counts(teacher: Embedded) -> None:
    [reply] = ask(teacher, question("What is the capital of Japan?", temperature=0.0))
    assert "Tokyo" in reply.text
    assert reply.finish_reason == "stop"
    assert reply.prompt_tokens > reply.cached_tokens >= 0
    assert 0 < reply.completion_tokens <= 24


def test_the_limit_of_tokens_is_said(teacher: Embedded) -> None:
    [reply] = ask(teacher, question("Tell me a long story.", max_tokens=5))
    assert (reply.finish_reason, reply.completion_tokens) == ("length", 5)


def test_a_full_context_ends_the_answer_as_the_limit_does(teacher: Embedded) -> None:
    [reply] = ask(teacher, question("Count to a thousand. " + "Go on. " * 65, max_tokens=CONTEXT, ignore_eos=True))
    assert reply.finish_reason == "length"
    assert reply.prompt_tokens + reply.completion_tokens <= CONTEXT


def test_a_schema_binds_every_answer(teacher: Embedded) -> None:
    schema = object_schema(
        name={"type": "string", "minLength": 1, "maxLength": 20},
        legs={"type": "integer", "minimum": 0, "maximum": 9},
    )
    requests = [
        Request([{"role": "user", "content": f"Describe a {animal}."}], Sampling(max_tokens=60), seed, schema)
        for seed, animal in enumerate(["cat", "bee", "crab", "hen"])
    ]
    for reply in ask(teacher, *requests):
        value = orjson.loads(reply.text)
        assert list(value) == ["name", "legs"]
        assert 0 < len(value["name"]) <= 20
        assert 0 <= value["legs"] <= 9


OPENING = "Answer in one short sentence, in plain words, and name one thing that can be seen or touched. " * 5


def with_opening(question: str, opening: str = OPENING) -> Request:
    messages: list[Message] = [{"role": "system", "content": opening}, {"role": "user", "content": question}]
    return Request(messages, Sampling(max_tokens=8), 1)


def test_requests_that_start_together_compute_their_opening_once(teacher: Embedded) -> None:
    questions = ["What is rain?", "Who bakes bread?", "Why do cats purr?", "Where do bees live?"]
    replies = ask(teacher, *map(with_opening, questions))
    shared = min(reply.prompt_tokens for reply in replies) - 20
    assert sum(reply.cached_tokens < shared for reply in replies) == 1
    assert sum(reply.cached_tokens >= shared for reply in replies) == 3


def test_a_conversation_that_goes_on_finds_what_its_slot_holds(teacher: Embedded) -> None:
    first = replace(with_opening("Tell me about snow."), sampling=Sampling(max_tokens=40, ignore_eos=True))
    [answer] = ask(teacher, first)
    said: list[Message] = [
        {"role": "assistant", "content": answer.text},
        {"role": "user", "content": "And ice?"},
    ]
    [reply] = ask(teacher, Request([*first.messages, *said], Sampling(max_tokens=8), 1))
    assert reply.cached_tokens >= answer.prompt_tokens


def test_openings_that_cannot_be_saved_cost_no_answer() -> None:
    engine = Embedded(None, 2, {"n_ctx": 2 * CONTEXT})
    try:
        engine._saved.cleanup()
        replies = ask(engine, with_opening("What is rain?"), with_opening("What is hail?"))
        assert all(reply.text for reply in replies)
        assert all(reply.text for reply in ask(engine, with_opening("What is fog?"), with_opening("What is dew?")))
    finally:
        engine.close()


def test_the_same_request_alone_gives_the_same_text(teacher: Embedded) -> None:
    first, second = (ask(teacher, question("Name a colour and say why.", seed=7))[0] for _ in range(2))
    assert first.text == second.text


def test_another_seed_gives_another_text(teacher: Embedded) -> None:
    replies = ask(teacher, *(question("Write a sentence.", seed=seed) for seed in range(4)))
    assert len({reply.text for reply in replies}) > 1


def test_more_requests_than_slots_are_all_answered(teacher: Embedded) -> None:
    replies = ask(teacher, *(question(f"What is {i} plus {i}?", seed=i, max_tokens=6) for i in range(13)))
    assert len(replies) == 13
    assert all(reply.text for reply in replies)


def test_extra_sampling_fields_reach_the_engine(teacher: Embedded) -> None:
    [reply] = ask(teacher, question("What is the capital of Japan?", temperature=0.0, stop=["Tokyo"]))
    assert "Tokyo" not in reply.text


def test_a_prompt_that_does_not_fit_costs_its_row_alone(teacher: Embedded) -> None:
    async def both() -> list[Reply | BaseException]:
        requests = question("word " * 400), question("Say hello.")
        return await asyncio.gather(*map(teacher.chat, requests), return_exceptions=True)

    failed, answered = asyncio.run(both())
    assert isinstance(failed, RequestFailed)
    assert failed.reason is CONTEXT_LENGTH
    assert f"a slot holds {CONTEXT}" in failed.detail
    assert isinstance(answered, Reply)


@pytest.mark.parametrize(
    "request_",
    [
        question("Hello", min_p="high"),
        Request([{"role": "user", "content": "Hello"}], Sampling(max_tokens=4), 1, {"type": "nonsense"}),
        Request([{"role": "user"}], Sampling(max_tokens=4), 1),  # type: ignore[typeddict-item]
    ],
    ids=["sampling", "schema", "message"],
)
def test_a_request_it_cannot_read_is_a_bad_request(teacher: Embedded, request_: Request) -> None:
    with pytest.raises(RequestFailed) as caught:
        ask(teacher, request_)
    assert caught.value.reason is BAD_REQUEST


def test_the_event_loop_runs_on_and_a_cancelled_request_frees_its_slot(teacher: Embedded) -> None:
    async def cancelled_and_next() -> Reply:
        long = [asyncio.create_task(teacher.chat(question("Tell a story.", seed=i, max_tokens=230))) for i in range(4)]
        await asyncio.sleep(0.3)
        for task in long:
            task.cancel()
        assert all(
            isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(*long, return_exceptions=True)
        )
        return await teacher.chat(question("Hi", max_tokens=1))

    alone = ask(teacher, question("Tell a story.", max_tokens=230))
    assert alone[0].completion_tokens > 100
    assert asyncio.run(cancelled_and_next()).completion_tokens == 1


def test_names_tell_models_apart(teacher: Embedded, tmp_path: Path) -> None:
    assert teacher.name == embedded_name(None) == "embedded:SmolLM2-135M-Instruct.Q4_1"
    (tmp_path / "mine.gguf").write_bytes(b"GGUF and so on")
    assert embedded_name(str(tmp_path / "mine.gguf")) == "embedded:mine-1ff03ffd"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_ctxx": 1}, "teacher.engine_args.n_ctxx: llama.cpp has no such parameter"),
        (
            {"cpuparams": {"threads": 1}},
            "teacher.engine_args.cpuparams.threads: llama.cpp has no such parameter",
        ),
        ({"n_ctx": "big"}, "teacher.engine_args.n_ctx: expected int, got 'big'"),
        (
            {"n_parallel": 2},
            "teacher.engine_args.n_parallel: set teacher.model or teacher.max_in_flight instead",
        ),
    ],
)
def test_unknown_engine_arguments_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Embedded(None, 1, arguments)
    assert str(caught.value) == message


@pytest.mark.parametrize("size", [4, 100, 40_000_000])
def test_a_truncated_model_gives_one_line_and_no_crash(tmp_path: Path, size: int) -> None:
    """Runs in a process of its own, because a crash in native code would end the process without a message."""
    path = tmp_path / "cut.gguf"
    with embedded_weights().open("rb") as whole:
        path.write_bytes(whole.read(size))
    code = (
        "import sys\nfrom skillmill.data.errors import TeacherError\n"
        "from skillmill.teachers.engines.embedded import Embedded\n"
        "try: Embedded(sys.argv[1], 1, {})\nexcept TeacherError as error: print(error)"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0
    assert ended.stderr == ""
    assert ended.stdout.startswith(f"embedded model: llama.cpp cannot load {path}")
    assert ended.stdout.count("\n") == 1


def test_closing_right_after_the_start_and_twice(capfd: pytest.CaptureFixture[str]) -> None:
    engine = Embedded(None, 1, {"n_ctx": CONTEXT})
    engine.close()
    engine.close()
    with pytest.raises(TeacherError, match="closed"):
        ask(engine, question("Hello"))
    assert capfd.readouterr() == ("", "")


def test_the_environment_is_left_as_it_was() -> None:
    program = (
        "import os; os.environ.pop('OMP_WAIT_POLICY', None); before = dict(os.environ)\n"
        "from skillmill.teachers.engines.embedded import Embedded\n"
        "Embedded(None, 1, {'n_ctx': 512}).close()\n"
        "assert dict(os.environ) == before"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
