"""The engine `vllm` with a real vLLM (its CPU build, `make test-vllm`): one engine for the file, one for a run."""

import asyncio
import multiprocessing
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import yaml
from processes import alive, children_of

from skillmill.data.errors import ConfigError, TeacherError
from skillmill.data.reasons import BAD_REQUEST, CONTEXT_LENGTH
from skillmill.flows.runtime.progress import PLAIN_EVERY_S
from skillmill.teachers.base import Reply, Request, RequestFailed, Sampling, Teacher
from skillmill.teachers.build import close_engines, open_teacher, teacher_name
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.engines.vllm import Vllm, check_vllm_sampling
from skillmill.teachers.middleware.accounting import Usage
from skillmill.teachers.middleware.journal import Journal
from skillmill.teachers.structured import object_schema

pytest.importorskip(
    "vllm", reason="vLLM is not installed here: `make test-vllm` runs this in an environment of its own"
)
pytestmark = pytest.mark.model

CONTEXT = 1024
ARGS = {"enforce_eager": True, "max_model_len": CONTEXT, "kv_cache_memory_bytes": 1 << 30, "block_size": 32}
CONFIG = TeacherConfig(kind="vllm", max_in_flight=64, engine_args=ARGS)


@pytest.fixture(scope="module")
def engine() -> Iterator[Vllm]:
    engine = Vllm(None, ARGS)
    yield engine
    engine.close()


def question(text: str, seed: int = 1, max_tokens: int = 24, **more: object) -> Request:
    return Request([{"role": "user", "content": text}], Sampling(max_tokens=max_tokens, **more), seed)


def ask(teacher: Teacher, *requests: Request) -> list[Reply]:
    """Each call runs in a new event loop, as each step of a run does."""

    async def all_of_them() -> list[Reply]:
        return await asyncio.gather(*map(teacher.chat, requests))

    return asyncio.run(all_of_them())


def test_an_answer_by_the_models_own_chat_template(engine: Vllm) -> None:
    [reply] = ask(engine, question("What is the capital of France?", temperature=0.0))
    assert "Paris" in reply.text
    assert reply.finish_reason == "stop"
    assert reply.prompt_tokens == 37  # includes the template's system message
    assert 0 < reply.completion_tokens <= 24


def test_the_limit_of_tokens_is_said(engine: Vllm) -> None:
    [reply] = ask(engine, question("Tell me a long story.", max_tokens=5))
    assert (reply.finish_reason, reply.completion_tokens) == ("length", 5)


def test_a_full_context_ends_the_answer_as_the_limit_does(engine: Vllm) -> None:
    [reply] = ask(engine, question("Go on. " * 310, max_tokens=CONTEXT, ignore_eos=True))
    assert reply.finish_reason == "length"
    assert reply.prompt_tokens + reply.completion_tokens <= CONTEXT


def test_a_schema_binds_every_answer(engine: Vllm) -> None:
    schema = object_schema(
        name={"type": "string", "pattern": "^[A-Z][a-z]{1,20}$"},
        colour={"type": "string", "minLength": 1, "maxLength": 20},
        legs={"type": "integer", "minimum": 0, "maximum": 9},
    )
    requests = [
        Request([{"role": "user", "content": f"Describe a {animal}."}], Sampling(max_tokens=80), seed, schema)
        for seed, animal in enumerate(["cat", "bee", "crab", "hen"])
    ]
    for reply in ask(engine, *requests):
        value = orjson.loads(reply.text)
        assert list(value) == ["name", "colour", "legs"]
        assert re.fullmatch("[A-Z][a-z]{1,20}", value["name"])
        assert 0 < len(value["colour"]) <= 20
        assert 0 <= value["legs"] <= 9


def test_a_schema_that_cannot_be_costs_its_row_alone(engine: Vllm) -> None:
    impossible = Request([{"role": "user", "content": "Hello"}], Sampling(), 1, {"type": "string", "pattern": "("})
    with pytest.raises(RequestFailed) as caught:
        ask(engine, impossible)
    assert caught.value.reason is BAD_REQUEST
    assert ask(engine, question("Hello"))[0].text


def test_the_same_request_alone_gives_the_same_text(engine: Vllm) -> None:
    first, second = (ask(engine, question("Name a colour and say why.", seed=7))[0] for _ in range(2))
    assert first.text == second.text


def test_equal_prompts_are_separate_requests_and_long_ones_share_their_beginning(engine: Vllm) -> None:
    """64 requests with different seeds and more prompt tokens than one step of the engine computes."""
    beginning = "Here is a list of words: " + "apple, pear, plum, " * 20
    replies = ask(engine, *(question(beginning, seed=seed, max_tokens=16) for seed in range(64)))
    assert len({reply.text for reply in replies}) > 48
    again = ask(engine, question(beginning + "Which is the longest?"))[0]
    assert again.prompt_tokens > again.cached_tokens >= 64
    assert again.cached_tokens % 32 == 0


def test_a_prompt_that_does_not_fit_costs_its_row_alone(engine: Vllm) -> None:
    async def both() -> list[Reply | BaseException]:
        requests = question("word " * 2 * CONTEXT), question("Say hello.")
        return await asyncio.gather(*map(engine.chat, requests), return_exceptions=True)

    failed, answered = asyncio.run(both())
    assert isinstance(failed, RequestFailed)
    assert failed.reason is CONTEXT_LENGTH
    assert f"the context {CONTEXT} (teacher.engine_args.max_model_len)" in failed.detail
    assert isinstance(answered, Reply)


def test_a_cancelled_request_leaves_the_engine(engine: Vllm) -> None:
    async def cancelled() -> None:
        async with asyncio.timeout(0.5):
            await engine.chat(question("Go on.", max_tokens=900, ignore_eos=True))

    with pytest.raises(TimeoutError):
        asyncio.run(cancelled())
    assert ask(engine, question("Hello"))[0].text
    assert engine._engine.get_num_unfinished_requests() == 0


def test_extra_sampling_fields_reach_the_engine(engine: Vllm) -> None:
    requests = question("What is the capital of France?", temperature=0.0, stop=["Paris"]), question("Hi", top_k=1)
    assert "Paris" not in ask(engine, *requests)[0].text


@pytest.mark.parametrize(
    ("sampling", "message"),
    [
        ({"repeat_penalty": 1.1}, r"^teacher\.sampling\.repeat_penalty: vLLM has no such parameter, expected .*rep"),
        ({"n": 2}, r"^teacher\.sampling\.n: vLLM has no such parameter"),
        ({"min_p": 7}, r"^teacher\.sampling: vLLM says: min_p must be in \[0, 1\]"),
    ],
)
def test_unknown_sampling_fields_are_named(sampling: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_vllm_sampling(Sampling.model_validate(sampling))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_modl_len": 1}, r"^teacher\.engine_args\.max_modl_len: vLLM has no such argument"),
        ({"model": "x"}, r"^teacher\.engine_args\.model: set teacher\.model instead"),
        ({"gpu_memory_utilization": "x"}, r"^teacher\.engine_args\.gpu_memory_utilization: Input should be a valid"),
        ({"max_model_len": 10**9}, r"^teacher\.engine_args: User-specified max_model_len \(1000000000\) is greater"),
    ],
)
def test_bad_engine_arguments_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        Vllm(None, arguments)
    assert "\n" not in str(caught.value)


def test_steps_and_grader_share_one_engine(engine: Vllm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    def once(*arguments: object) -> Vllm:
        started.append(arguments)
        return engine

    monkeypatch.setattr("skillmill.teachers.engines.vllm.Vllm", once)
    journal, usage = Journal(tmp_path / "journal.sqlite"), Usage()

    async def step(config: TeacherConfig, text: str) -> Reply:
        async with open_teacher(config, journal, usage) as teacher:
            assert teacher.name == teacher_name(config)
            return await teacher.chat(question(text))

    grader = CONFIG.model_copy(update={"max_in_flight": 2, "sampling": Sampling(temperature=0)})
    texts = [asyncio.run(step(config, text)).text for config, text in ((CONFIG, "Hi"), (grader, "Ho"), (CONFIG, "Hi"))]
    assert texts[0] == texts[2]  # from the journal
    assert (len(started), usage.total().calls) == (1, 2)
    journal.close()


def test_a_dead_engine_is_one_line(engine: Vllm) -> None:
    """The last test that uses the engine: it kills the engine's process during a request."""

    async def asked_and_killed() -> None:
        answer = asyncio.create_task(engine.chat(question("Go on.", max_tokens=900, ignore_eos=True)))
        await asyncio.sleep(0.5)
        [process] = multiprocessing.active_children()
        process.kill()
        await answer

    with pytest.raises(TeacherError, match=r"^vllm: the engine died .*; its log is ") as caught:
        asyncio.run(asked_and_killed())
    assert "\n" not in str(caught.value)


def test_a_closed_engine_says_so(engine: Vllm) -> None:
    engine.close()
    engine.close()
    close_engines()
    with pytest.raises(TeacherError, match="closed"):
        ask(engine, question("Hello"))


SKILLS = "metaphor planning humour empathy satire irony logic haste rhyme tact patience wit".split()
TAXONOMY = {
    "skills": [{"name": name, "definition": f"the skill of {name}"} for name in SKILLS],
    "query_types": [{"name": "Advice", "definition": "the user wants advice"}],
    "topics": [{"name": "Chess"}],
}


@pytest.mark.timeout(900)  # half a minute on two idle cores, many times that on busy ones
def test_a_run_with_kind_vllm(tmp_path: Path) -> None:
    """The command is killed and run again: it makes rows, caches prompts and prints little."""
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(TAXONOMY))
    sampling = {"temperature": 0.7, "max_tokens": 80, "repetition_penalty": 1.05}
    teacher = {"kind": "vllm", "max_in_flight": 16, "sampling": sampling, "engine_args": ARGS | {"max_model_len": 2048}}
    content = {"taxonomy": "mine.yaml", "teacher": teacher, "generation": {"samples": 60}, "output_dir": "out"}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(content))
    command = [str(Path(sys.executable).with_name("skillmill")), "generate", "-c", "run.yaml"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as killed:
        assert killed.stderr is not None
        assert any(re.search(r"[1-9]\d* tokens/s", line) for line in killed.stderr), "the engine was never at work"
        engines = children_of(killed.pid)
        killed.kill()
    assert engines
    deadline = time.monotonic() + 60
    while any(map(alive, engines)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [process for process in engines if alive(process)]
    began = time.monotonic()
    ended = subprocess.run(
        [*command, "--set", "generation.samples=4"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=840,
        env=os.environ,
    )
    took = time.monotonic() - began
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr and "INFO" not in ended.stderr
    lines = ended.stderr.splitlines()
    how_far = [line for line in lines if line.startswith("generate: ")]
    assert len(how_far) <= 2 + took / PLAIN_EVERY_S, ended.stderr
    assert len(lines) - len(how_far) < 5, ended.stderr
    usage = orjson.loads((tmp_path / "out" / "run.json").read_bytes())["usage"]
    assert usage["instruction"]["calls"] > 0
    assert usage["instruction"]["cached_tokens"] > 0
    assert list((tmp_path / "out" / "shards").glob("part-*.parquet"))
