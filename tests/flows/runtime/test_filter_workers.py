"""Row filters beside the event loop give the verdicts of `apply_filters`, and their processes end with the run."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from example_rows import ADVICE_CELL, ANSWER, QUESTION, TEXT, TEXT_CELL
from killed_runs import finish, start, what_lies_there, write_config
from processes import children_of, ended

from skillmill.data.errors import SkillmillError
from skillmill.data.records import Sample
from skillmill.filters.apply import apply_filters
from skillmill.filters.config import FiltersConfig
from skillmill.filters.shirker.filter import Shirker
from skillmill.flows.runtime.filter_workers import WORTH_A_PROCESS, FilterWorkers, filter_workers
from skillmill.skill_taxonomy.cells import Cell

ROWS: list[tuple[Sample, Cell]] = [
    (Sample(QUESTION, ANSWER, finish_reason="stop"), ADVICE_CELL),
    (Sample(QUESTION, "Here is the refined response:", signals={"own": 1.0}, reasons=("custom:rude",)), ADVICE_CELL),
    (Sample("Write about chess.", TEXT), TEXT_CELL),
    (Sample(QUESTION, "", reasons=("unparsable",)), ADVICE_CELL),
    (Sample(QUESTION, "", finish_reason="length"), ADVICE_CELL),
]


async def applied(workers: FilterWorkers, rows: Iterable[tuple[Sample, Cell]]) -> list[Sample]:
    return await asyncio.gather(*(workers.apply(sample, cell) for sample, cell in rows))


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_the_verdicts_are_those_of_one_process(processes: int) -> None:
    async def run() -> list[Sample]:
        async with filter_workers(FiltersConfig(), processes) as workers:
            many = await applied(workers, ROWS * 30)
            assert len(children_of(os.getpid())) >= processes - 1
            return many + await applied(workers, ROWS)

    expected = [apply_filters(sample, cell, FiltersConfig()) for sample, cell in ROWS]
    assert asyncio.run(run()) == expected * 31
    assert not any("LokyProcess" in name for name in children_of(os.getpid()).values())


def test_few_samples_start_no_process() -> None:
    async def run() -> None:
        async with filter_workers(FiltersConfig(), 4) as workers:
            for _ in range(3):
                await applied(workers, (ROWS * 2)[: WORTH_A_PROCESS - 1])
            assert not any("LokyProcess" in name for name in children_of(os.getpid()).values())

    asyncio.run(run())


def test_a_fault_in_a_filter_is_raised(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text("{half")
    config = FiltersConfig(shirker=Shirker(model=tmp_path / "model.json"))

    async def run(rows: list[tuple[Sample, Cell]]) -> None:
        async with filter_workers(config, 2) as workers:
            await applied(workers, rows)

    for rows in (ROWS[:1], ROWS * 10):  # in this process, and beside it
        with pytest.raises(SkillmillError, match=r"model\.json"):
            asyncio.run(run(rows))


def test_a_process_that_is_killed_is_one_clear_error() -> None:
    async def run() -> None:
        async with filter_workers(FiltersConfig(), 2) as workers:
            await applied(workers, ROWS * 10)
            [pid] = [pid for pid, name in children_of(os.getpid()).items() if "LokyProcess" in name]
            os.kill(pid, signal.SIGKILL)
            await applied(workers, ROWS * 1000)

    with pytest.raises(SkillmillError, match=r"^runner\.workers: a process that filters rows ended by itself"):
        asyncio.run(run())


def test_a_cancelled_row_leaves_the_others_alone() -> None:
    async def run() -> list[Sample]:
        async with filter_workers(FiltersConfig(), 2) as workers:
            tasks = [asyncio.create_task(workers.apply(*row)) for row in ROWS * 20]
            await asyncio.sleep(0)
            for task in tasks[1::2]:
                task.cancel()
            return await asyncio.gather(*tasks[::2])

    expected = [apply_filters(sample, cell, FiltersConfig()) for sample, cell in (ROWS * 20)[::2]]
    assert asyncio.run(run()) == expected


def many_in_flight(folder: Path, base_url: str, workers: int) -> Path:
    path = write_config(folder, base_url, samples=70)
    content = yaml.safe_load(path.read_text())
    content["teacher"]["max_in_flight"] = 64
    content |= {"pairs": {"sources": []}, "runner": {"workers": workers}}
    path.write_text(yaml.safe_dump(content))
    return path


def test_a_killed_run_leaves_no_process_and_ends_with_the_bytes_of_one_process(
    tmp_path: Path, scripted_server: Callable[..., Any]
) -> None:
    whole = many_in_flight(tmp_path / "whole", scripted_server(latency=0.02).base_url, workers=1)
    finish(whole, "generate")
    server = scripted_server(latency=0.02)
    killed = many_in_flight(tmp_path / "killed", server.base_url, workers=3)
    process = start(killed, "generate")
    deadline = time.monotonic() + 60
    beside: dict[int, str] = {}
    while len([name for name in beside.values() if "LokyProcess" in name]) < 2 and process.poll() is None:
        assert time.monotonic() < deadline
        beside = children_of(process.pid)
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)  # this process alone, as when memory runs out
    process.communicate()
    assert beside and all(ended(pid, within_s=20) for pid in beside)
    finish(killed, "generate")
    assert what_lies_there(killed) == what_lies_there(whole)


def test_a_script_without_a_main_guard_works(tmp_path: Path, scripted_server: Callable[..., Any]) -> None:
    path = many_in_flight(tmp_path / "run", scripted_server(latency=0.02).base_url, workers=2)
    script = tmp_path / "script.py"
    script.write_text(
        "from pathlib import Path\n"
        "from skillmill.flows.config import load_config\n"
        "from skillmill.flows.pipeline import run\n"
        f"run(load_config(Path({str(path)!r})))\n"
    )
    ran = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.count("generate:") <= 1
