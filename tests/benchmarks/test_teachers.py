"""The mock engine: slots, metrics and faults; and one run of the teacher benchmark."""

import importlib.util
import json
import resource
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from skillmill.teachers.engines.chat_api.vllm_metrics import vllm_load


def load(name: str) -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"bench_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


bench, mock_engine = load("teachers"), load("mock_engine")


def ask(url: str, text: str) -> dict[str, Any]:
    body = json.dumps({"model": "mock", "messages": [{"role": "user", "content": text}]}).encode()
    with urllib.request.urlopen(f"{url}/v1/chat/completions", body) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


def test_the_slots_hold_and_the_occupancy_is_their_integral() -> None:
    with bench.engine("--slots", 2, "--latency", 0.2) as mock, ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda i: ask(mock.url, f"question {i}"), range(4)))
        ask(mock.url, "question 0")
        stats = mock.stats()
    assert len({answer["choices"][0]["message"]["content"] for answer in answers}) == 4
    assert stats["most_running"] == stats["most_waiting"] == 2
    assert (stats["requests"], stats["repeated"], stats["served"]) == (5, 1, 5)
    # Two rounds of two and a lone request: five slots of 0.2 s in 2 x 0.6 s.
    assert stats["best_share"] == pytest.approx(5 / 6)
    assert stats["window_s"] >= 0.6
    assert stats["work_share"] == pytest.approx(1.0 / (2 * stats["window_s"]))
    assert stats["work_share"] <= stats["occupancy"] <= 1


def test_best_share_is_that_of_slots_that_never_pause() -> None:
    assert mock_engine.best_share([1.0, 1.0, 2.0, 1.0], 2) == pytest.approx(5 / 6)
    assert mock_engine.best_share([], 2) == 0.0


def test_its_metrics_are_those_that_the_teacher_reads() -> None:
    with bench.engine("--slots", 2, "--latency", 1, "--kv-requests", 1) as mock, ThreadPoolExecutor(3) as pool:
        replies = [pool.submit(ask, mock.url, f"question {i}") for i in range(3)]
        while mock.stats()["requests"] < 3:
            time.sleep(0.02)
        with urllib.request.urlopen(f"{mock.url}/metrics") as response:
            load = vllm_load(response.read().decode())
        for reply in replies:
            reply.result()
    assert load is not None
    assert (load.running, load.waiting, load.kv_used, load.preemptions) == (2, 1, 1.0, 1)


def test_it_fails_in_four_ways_and_refuses_bad_prompts() -> None:
    def outcome(i: int) -> str:
        try:
            ask(mock.url, f"question {i}")
        except urllib.error.HTTPError as error:
            return str(error.code)
        except (HTTPException, OSError) as error:
            return type(error).__name__
        except json.JSONDecodeError:
            return "broken"
        return "answer"

    with bench.engine("--latency", 0, "--faults", 0.5, "--bad", "question 7 ") as mock:
        outcomes = {outcome(i) for i in range(40)}
        failed = mock.stats()["failed"]
    assert outcomes == {"answer", "500", "429", "RemoteDisconnected", "broken"}
    assert set(failed) == {"server_error", "rate_limit", "cut", "broken_json"}
    with bench.engine("--latency", 0, "--bad", "question 7") as mock:
        assert [outcome(i) for i in (6, 7, 8)] == ["answer", "400", "answer"]


def test_the_benchmark_runs_the_real_command(tmp_path: Path) -> None:
    with bench.engine("--slots", 8, "--latency", 0.01) as mock:
        run = bench.generate(tmp_path, mock.url, 60, 12)
        stats = mock.stats()
    assert stats["served"] == 60
    assert {row["verdict"] for row in bench.rows_of(tmp_path)} == {"accepted"}
    assert 0 < run.cpu_s < run.wall_s * 2
    own_peak = (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    )  # the peak of a child starts at that of its parent
    assert 20 < run.peak_mb < max(500, own_peak + 1)
    assert bench.Figure("x", 2.0, "s", "<=", 1.0).met is False
