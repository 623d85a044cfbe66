"""Cost of the pipeline apart from its teacher: runs the command against a mock engine and prints one line per figure.

    python benchmarks/teachers.py [occupancy evaluate throughput defaults lanes memory faults] [--json OUT]

docs/benchmarks.md explains the figures. The exit code is 1 if a figure misses its target.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from skillmill.filters.apply import row_filters

HERE = Path(__file__).parent
SLOTS = 64
IN_FLIGHT = 96
"""1.5 times the engine's slots, so that its queue is short but never empty."""
LOGNORMAL = ("--latency", "0.2", "--sigma", "0.6", "--seed", "2")
"""The best possible occupancy depends on the last requests: 0.92 to 0.97 over seeds, 0.959 with this one."""


@dataclass(frozen=True)
class Figure:
    """A measured value. `bound` is ">=" or "<=" the `target`; a figure with neither is only shown."""

    name: str
    value: float
    unit: str = ""
    bound: str = ""
    target: float | None = None

    @property
    def met(self) -> bool:
        """Whether the value meets its target, True if there is none."""
        holds = {"": True, ">=": self.value >= (self.target or 0), "<=": self.value <= (self.target or 0)}
        return holds[self.bound]

    def __str__(self) -> str:
        target = f"{self.bound} {self.target:g} {'met' if self.met else 'MISSED'}" if self.bound else ""
        return f"{self.name:52} {self.value:10.3f} {self.unit:12} {target}"


@dataclass(frozen=True)
class Run:
    """Resources of one client process from start to end."""

    wall_s: float
    cpu_s: float
    peak_mb: float


class Engine:
    """A mock engine in a separate process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        self.process, self.url = process, f"http://127.0.0.1:{int(process.stdout.readline())}"

    def stats(self) -> dict[str, Any]:
        """Return the statistics of the engine so far."""
        with urllib.request.urlopen(f"{self.url}/stats") as response:
            stats: dict[str, Any] = json.load(response)
        return stats


@contextmanager
def engine(*options: object) -> Iterator[Engine]:
    """Run a mock engine with command line options within the block."""
    command = [sys.executable, str(HERE / "mock_engine.py"), *map(str, options)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield Engine(process)
    finally:
        process.kill()
        process.wait()


@contextmanager
def folder() -> Iterator[Path]:
    """Create a temporary folder for the block."""
    with tempfile.TemporaryDirectory(prefix="bench-teachers-") as name:
        yield Path(name)


PARTS = "parts.json"
NO_FILTERS = {name: {"enabled": False} for name in (*row_filters(), "near_duplicates")}


def start(
    at: Path,
    url: str,
    rows: int,
    in_flight: int,
    kind: str = "one_turn:OneTurn",
    by_part: bool = False,
    **sections: Any,
) -> "subprocess.Popen[bytes]":
    """Start `skillmill generate` on the built-in taxonomy without Prefect, and without filters by default.

    `sections` replaces sections of the configuration. With `by_part`, the CPU time by part is written to `PARTS`.
    """
    config = {
        "name": "bench",
        "output_dir": str(at / "out"),
        "teacher": {"kind": "openai", "model": "mock", "base_url": f"{url}/v1", "max_in_flight": in_flight},
        "generation": {"kind": kind, "k": 3, "samples": rows},
        "filters": NO_FILTERS,
        **sections,
    }
    path = at / "skillmill.yaml"
    path.write_text(yaml.safe_dump(config))
    command = ("cpu_by_part.py", at / PARTS) if by_part else ("-m", "skillmill.flows.cli")
    return python(at, *command, "generate", "-c", path)


def python(at: Path, *arguments: object) -> "subprocess.Popen[bytes]":
    """Start Python in this folder, from which `one_turn` is imported, with bytecode files as in an installation."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.Popen(command, cwd=HERE, env=environment, stderr=(at / "stderr").open("ab"))


def finish(process: "subprocess.Popen[bytes]", at: Path, begun: float) -> Run:
    """Wait for a process that was started at the monotonic time `begun`; exit if it failed."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{process.args} failed: {(at / 'stderr').read_text()}")
    return Run(time.monotonic() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def generate(at: Path, url: str, rows: int, in_flight: int, kind: str = "one_turn:OneTurn", **options: Any) -> Run:
    """Run `skillmill generate` to its end, with the options of `start`."""
    begun = time.monotonic()
    return finish(start(at, url, rows, in_flight, kind, **options), at, begun)


def bare_client(at: Path, url: str, rows: int, in_flight: int) -> Run:
    """Run `bare_client.py` to its end."""
    begun = time.monotonic()
    return finish(python(at, "bare_client.py", url, rows, in_flight), at, begun)


def rows_of(at: Path) -> list[dict[str, Any]]:
    """Return id, verdict and reasons of the generated rows."""
    from skillmill.data.store import sample_store  # it imports pyarrow, which the measured processes must not inherit

    store = sample_store(at / "out")
    plans = dict.fromkeys(shard.plan for shard in store.shards)
    return [row for table in store.tables(plans, ["id", "verdict", "reasons"]) for row in table.to_pylist()]


def journal_bytes(at: Path) -> int:
    """Return the size of the journal on the disk."""
    return sum(path.stat().st_size for path in (at / "out" / ".work").glob("journal.sqlite*"))


def first_request(kind: str, **sections: Any) -> tuple[float, Run]:
    """Return the CPU seconds of a run of one row before its first request, and the resources of the whole run.

    `kind` is a generator that writes its CPU seconds.
    """
    for _ in range(2):  # the first run writes the bytecode files
        with engine("--latency", 0) as mock, folder() as at:
            run = generate(at, mock.url, 1, 1, kind, **sections)
            before = float((at / "stderr").read_text().split("CPU seconds: ")[1].split()[0])
    return before, run


def occupancy() -> Iterator[Figure]:
    """Measure how busy the pipeline keeps an engine with lognormal latencies, and what it costs."""
    rows = 4000
    first, start_up = first_request("one_turn:Timed")
    yield Figure("start-up: CPU before the first request", first, "s", "<=", 0.6)
    yield Figure("start-up: CPU of a run of one row", start_up.cpu_s, "s")
    for name, kind in (("Skill-Mix", "one_turn:TimedSkillMix"), ("Instruct-SkillMix", "one_turn:TimedInstruct")):
        for of, sections in ((name, {}), (f"{name}, default filters", {"filters": {}})):
            yield Figure(f"start-up: {of}", first_request(kind, **sections)[0], "s", "<=", 0.6)
    with engine("--slots", SLOTS, *LOGNORMAL) as mock, folder() as at:
        bare = 1000 * bare_client(at, mock.url, rows, IN_FLIGHT).cpu_s / rows
    yield Figure("CPU of a bare aiohttp client", bare, "ms/request")
    runs: tuple[tuple[str, str, int, tuple[str, ...]], ...] = (
        ("one call a row", "one_turn:OneTurn", 1, ()),
        ("one call a row, no /metrics", "one_turn:OneTurn", 1, ("--no-metrics",)),
        ("two calls a row", "skill_mix", 2, ()),
    )
    for name, kind, calls, options in runs:
        with engine("--slots", SLOTS, *LOGNORMAL, *options) as mock, folder() as at:
            run = generate(at, mock.url, rows, IN_FLIGHT, kind)
            stats, disk = mock.stats(), journal_bytes(at)
        assert stats["served"] == rows * calls, stats
        yield Figure(f"occupancy, {name}", stats["occupancy"], "", ">=", 0.95)
        yield Figure(f"occupancy by drawn latencies, {name}", stats["work_share"])
        yield Figure(f"best possible with these latencies, {name}", stats["best_share"])
        spent = 1000 * run.cpu_s / (rows * calls)
        yield Figure(f"CPU of our process, {name}", spent, "ms/request")
        yield Figure(f"CPU of our process over the bare client's, {name}", spent / bare, "", "<=", 1.6)
        beyond = 1000 * (run.cpu_s - start_up.cpu_s) / (rows * calls)
        yield Figure(f"the same without start-up, {name}", beyond, "ms/request")
        yield Figure(f"wall outside the engine's window, {name}", run.wall_s - stats["window_s"], "s", "<=", 4.0)
        yield Figure(f"longest queue of the engine, {name}", stats["most_waiting"], "requests")
        yield Figure(f"journal over payload on the disk, {name}", disk / stats["payload_bytes"], "", "<=", 1.5)
        yield Figure(f"peak memory, {name}", run.peak_mb, "MB")


def evaluate() -> Iterator[Figure]:
    """Measure how busy `skillmill evaluate` keeps an engine: 4,000 held-out cells, graded by rules."""
    cells = 4000
    with engine("--slots", SLOTS, *LOGNORMAL) as mock, folder() as at:
        student = {"kind": "openai", "model": "mock", "base_url": f"{mock.url}/v1", "max_in_flight": IN_FLIGHT}
        settings = {"student": student, "baseline": None, "k": [3], "samples": cells, "bootstrap": 100}
        config = {"output_dir": str(at / "out"), "taxonomy": "builtin:checkable", "evaluate": settings}
        (at / "skillmill.yaml").write_text(yaml.safe_dump(config))
        begun = time.monotonic()
        command = ("-m", "skillmill.flows.cli", "evaluate", "-q", "-c", at / "skillmill.yaml")
        run, stats = finish(python(at, *command), at, begun), mock.stats()
    assert stats["served"] == cells, stats
    yield Figure("occupancy, evaluate", stats["occupancy"], "", ">=", 0.95)
    yield Figure("occupancy by drawn latencies, evaluate", stats["work_share"])
    yield Figure("best possible with these latencies, evaluate", stats["best_share"])
    yield Figure("CPU of our process, evaluate", 1000 * run.cpu_s / cells, "ms/request")
    yield Figure("wall outside the engine's window, evaluate", run.wall_s - stats["window_s"], "s")
    yield Figure("peak memory, evaluate", run.peak_mb, "MB")


def throughput() -> Iterator[Figure]:
    """Measure rows per second with a fixed latency and many requests in flight."""
    rows, latency = 10_000, 0.5
    for in_flight, target in ((256, 0.90), (1024, 0.65)):
        with engine("--slots", in_flight, "--latency", latency) as mock, folder() as at:
            run = generate(at, mock.url, rows, in_flight)
            stats = mock.stats()
        with engine("--slots", in_flight, "--latency", latency) as mock, folder() as at:
            bare = 1000 * bare_client(at, mock.url, rows, in_flight).cpu_s / rows
        assert stats["served"] == rows, stats
        ideal, reached = in_flight / latency, rows / stats["window_s"]
        yield Figure(f"rows/s over ideal, {in_flight} in flight", reached / ideal, f"of {ideal:.0f}", ">=", target)
        yield Figure(f"rows/s, {in_flight} in flight", reached, "rows/s")
        yield Figure(f"rows/s with start and end, {in_flight} in flight", rows / run.wall_s, "rows/s")
        spent = 1000 * run.cpu_s / rows
        yield Figure(f"CPU of our process, {in_flight} in flight", spent, "ms/request")
        yield Figure(f"CPU of our process over the bare client's, {in_flight} in flight", spent / bare, "", "<=", 1.6)
        yield Figure(f"CPU of the mock engine, {in_flight} in flight", 1000 * stats["cpu_s"] / rows, "ms/request")


def defaults() -> Iterator[Figure]:
    """Measure what the default filters and the search for near-duplicates cost, against the same runs without them."""
    rows, latency = 6_000, 0.5
    settings: dict[str, dict[str, Any]] = {
        "off": {"filters": NO_FILTERS},
        "on, one process": {"filters": {}, "runner": {"workers": 1}},
        "on": {"filters": {}},
    }
    for in_flight in (256, 1024):
        for name, kind, calls in (("instruct", "one_turn:OneAnswer", 1), ("skill_mix", "skill_mix", 2)):
            reached = {}
            for filters, sections in settings.items():
                with engine("--slots", in_flight, "--latency", latency) as mock, folder() as at:
                    run = generate(at, mock.url, rows // calls, in_flight, kind, by_part=True, **sections)
                    stats, parts = mock.stats(), json.loads((at / PARTS).read_text())
                made, of = rows // calls, f"{name}, {in_flight} in flight, filters {filters}"
                assert stats["served"] == rows, stats
                reached[filters] = made / stats["window_s"]
                yield Figure(f"rows/s, {of}", reached[filters], "rows/s")
                yield Figure(f"CPU with its processes, {of}", 1000 * run.cpu_s / made, "ms/row")
                for part, seconds in parts.items():
                    yield Figure(f"  {part}, {of}", 1000 * seconds / made, "ms/row")
            ratio = reached["on"] / reached["off"]
            yield Figure(f"rows/s with filters over without, {name}, {in_flight}", ratio, "", ">=", 0.95)


def lanes() -> Iterator[Figure]:
    """Measure runs that send their requests from lanes against one that does not, with the default filters.

    Here all share their cores with the mock engine. What the process that commits takes for a row is the bound on more
    cores.
    """
    rows, in_flight = 10_000, 1024
    for workers in (1, 2, 4):
        with engine("--slots", in_flight, "--latency", 0.5) as mock, folder() as at:
            sections: dict[str, Any] = {"filters": {}, "runner": {"workers": workers}}
            run = generate(at, mock.url, rows, in_flight, "one_turn:OneAnswer", by_part=True, **sections)
            stats, parts = mock.stats(), json.loads((at / PARTS).read_text())
        assert stats["served"] == rows, stats
        of = f"{workers} lanes" if workers > 1 else "one process"
        yield Figure(f"rows/s, {of}", rows / stats["window_s"], "rows/s")
        yield Figure(f"CPU with its processes, {of}", 1000 * run.cpu_s / rows, "ms/row")
        yield Figure(f"CPU of the main process, {of}", 1000 * sum(parts.values()) / rows, "ms/row")


def memory() -> Iterator[Figure]:
    """Measure peak memory without near-duplicate search, whose memory per row `near_duplicates.py` prints."""
    peak: dict[int, float] = {}
    for rows in (10_000, 100_000):
        with engine("--slots", 256, "--latency", 0.1, "--characters", 4096) as mock, folder() as at:
            run = generate(at, mock.url, rows, 256)
            stats, disk = mock.stats(), journal_bytes(at)
        assert stats["served"] == rows, stats
        peak[rows] = run.peak_mb
        yield Figure(f"peak memory, {rows} rows of 4 KB", run.peak_mb, "MB", "<=", 300)
        yield Figure(f"journal over payload on the disk, {rows} rows of 4 KB", disk / stats["payload_bytes"])
        yield Figure(f"rows/s, {rows} rows of 4 KB", rows / stats["window_s"], "rows/s")
    yield Figure("peak memory, 100000 rows over 10000", peak[100_000] / peak[10_000], "", "<=", 1.10)


def faults() -> Iterator[Figure]:
    """Count rows and requests with a faulty engine, bad prompts and a killed run."""
    rows = 2000
    with engine("--slots", SLOTS, *LOGNORMAL, "--faults", 0.2) as mock, folder() as at:
        generate(at, mock.url, rows, IN_FLIGHT)
        stats, stored = mock.stats(), rows_of(at)
    failed = sum(stats["failed"].values())
    assert len(stats["failed"]) == 4, stats
    yield Figure("faults: share of requests that failed", failed / stats["requests"], "in 4 ways")
    yield Figure("faults: rows that arrived", _accepted(stored), f"of {rows}", ">=", rows)
    yield Figure("faults: rows that arrived twice", len(stored) - len({row["id"] for row in stored}), "", "<=", 0)

    bad = [f"[row {row}]" for row in range(100, 1000, 200)]
    with engine("--slots", SLOTS, *LOGNORMAL, "--bad", *bad) as mock, folder() as at:
        generate(at, mock.url, 1000, IN_FLIGHT)
        stats, stored = mock.stats(), rows_of(at)
    reasons = Counter(reason for row in stored for reason in row["reasons"])
    yield Figure("5 bad prompts: good rows", _accepted(stored), "of 995", ">=", 995)
    yield Figure("5 bad prompts: rows with reason bad_request", reasons["bad_request"], "of 5", ">=", 5)
    yield Figure("5 bad prompts: requests for 1,000 rows", stats["requests"], "", "<=", 1000)

    rows = 4000
    with engine("--slots", SLOTS, *LOGNORMAL) as mock, folder() as at:
        process = start(at, mock.url, rows, IN_FLIGHT)
        while mock.stats()["served"] < rows // 2 and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        generate(at, mock.url, rows, IN_FLIGHT)
        stats, stored = mock.stats(), rows_of(at)
    yield Figure("kill -9 half way: repeated requests", stats["repeated"], "", "<=", IN_FLIGHT)
    yield Figure("kill -9 half way: rows", len({row["id"] for row in stored}), f"of {rows}", ">=", rows)


def _accepted(rows: list[dict[str, Any]]) -> int:
    return sum(row["verdict"] == "accepted" for row in rows)


GROUPS = {
    "occupancy": occupancy,
    "evaluate": evaluate,
    "throughput": throughput,
    "defaults": defaults,
    "lanes": lanes,
    "memory": memory,
    "faults": faults,
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("groups", nargs="*", help=f"of {', '.join(GROUPS)}; default: all")
    arguments.add_argument("--json", type=Path)
    options = arguments.parse_args()
    unknown = set(options.groups) - set(GROUPS)
    if unknown:
        arguments.error(f"expected some of {', '.join(GROUPS)}, got {', '.join(sorted(unknown))}")
    figures, load = [], [os.getloadavg()[0]]
    print(f"{os.cpu_count()} cores, shared with the mock engine; load before: {load[0]:.2f}", flush=True)
    for group in options.groups or GROUPS:
        for figure in GROUPS[group]():
            figures.append(figure)
            print(figure, flush=True)
        load.append(os.getloadavg()[0])
        print(f"load after {group}: {load[-1]:.2f} (including this benchmark)", flush=True)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        results = [asdict(figure) | {"met": figure.met} for figure in figures]
        options.json.write_text(json.dumps({"cores": os.cpu_count(), "load": load, "figures": results}, indent=1))
    sys.exit(not all(figure.met for figure in figures))


if __name__ == "__main__":
    main()
