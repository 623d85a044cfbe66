"""What a run costs: said before, capped, counted through stops and kills, and told after."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest
import yaml
from graded_runs import run_to_the_export
from hypothesis import given
from hypothesis import strategies as st

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.flows.commands.preview import preview_rows
from skillmill.flows.config import Config, GenerationConfig, parse_config
from skillmill.flows.pipeline import run
from skillmill.flows.plan import make_plan
from skillmill.flows.predict import Sizes, cells_needed, known_sizes, predict, probe, wilson
from skillmill.flows.rows.generate import HOPELESS
from skillmill.flows.runtime.progress import Pace, duration, money
from skillmill.flows.runtime.workspace import open_workspace
from skillmill.flows.steps.report import report_step
from skillmill.flows.steps.taxonomy import configured_taxonomy, current_plan, taxonomy_step
from skillmill.teachers.middleware.accounting import BudgetMet, StageUsage, Usage

IN_FLIGHT = 4
PRICES = {"input": 0.5, "cached": 0.1, "output": 2}


@pytest.fixture
def configure(tmp_path: Path, scripted_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """`configure(generation={...})`: all over one server, `configure.server`, in a working directory of its own."""
    monkeypatch.chdir(tmp_path)
    server = scripted_server()

    def make(**sections: Any) -> Config:
        teacher = {"kind": "openai", "model": "scripted", "base_url": server.base_url, "max_in_flight": IN_FLIGHT}
        teacher["sampling"] = {"max_tokens": 600}
        content = {"output_dir": "out", "teacher": teacher, "generation": {"samples": 12, "shard_rows": 5}}
        content |= sections
        (tmp_path / "skillmill.yaml").write_text(yaml.safe_dump(content))
        return parse_config(content)

    make.server = server  # type: ignore[attr-defined]
    return make


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "skillmill.flows.cli", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def command(*arguments: str) -> tuple[int, str, str]:
    process = start(*arguments)
    out, errors = process.communicate(timeout=120)
    assert "Traceback" not in errors
    return process.returncode, out, errors


def state(config: Config) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads((config.output / "run.json").read_bytes())
    return found


def data(config: Config) -> dict[str, bytes]:
    """The shards of rows and pairs. An export has other files if an earlier one had a part of its rows."""
    found = [path for folder in ("shards", "pairs") for path in sorted((config.output / folder).glob("*.parquet"))]
    return {str(path): path.read_bytes() for path in found}


def exported(config: Config) -> list[dict[str, Any]]:
    """The `sft` rows of the export without their versions."""
    files = sorted((config.output / "export" / "sft").glob("*.parquet"))
    rows = [row for file in files for row in pq.read_table(file).to_pylist()]
    return [{key: value for key, value in row.items() if key != "version"} for row in rows]


# The plan


def test_plan_asks_nothing_and_writes_nothing(configure: Any, tmp_path: Path) -> None:
    configure(prices=PRICES, pairs={"sources": ["draft", "junk"]})
    before = sorted(tmp_path.rglob("*"))
    code, out, _ = command("plan", "-c", "skillmill.yaml")
    assert code == 0
    assert sorted(tmp_path.rglob("*")) == before
    assert configure.server.stats()["asked"] == 0
    total = next(line for line in out.splitlines() if line.startswith("total"))
    assert total.split()[1] == "60"  # 12 cells, four turns and a junk answer each
    assert "36,000" in total  # 60 answers of 600 tokens
    assert {"instruction", "response", "critique", "refine", "junk"} <= {line.split()[0] for line in out.splitlines()}
    assert "Nothing was asked" in out


@pytest.mark.parametrize("kind", ["skill_mix", "instruct_skill_mix"])
def test_the_estimate_is_a_bound(configure: Any, kind: str) -> None:
    config = configure(generation={"kind": kind, "samples": 10}, pairs={"sources": ["brevity"]})
    plan = current_plan(config)
    bound = predict(known_sizes(config, plan), config).stages
    run_to_the_export(config)
    used = state(config)["usage"]
    assert {"draft"} < set(used) <= set(bound) if kind == "skill_mix" else set(used) == set(bound)
    for name, stage in used.items():
        assert stage["calls"] <= bound[name].calls
        assert stage["completion_tokens"] <= bound[name].completion_tokens
        # the scripted server counts characters of the messages' Python form: a little more than their text
        assert stage["prompt_tokens"] <= 1.3 * bound[name].prompt_tokens


def test_what_a_probe_asks_is_not_asked_again(configure: Any) -> None:
    config = configure(generation={"accepted": 20}, prices=PRICES, pairs={"sources": ["draft", "brevity"]})
    code, out, _ = command("plan", "-c", "skillmill.yaml", "--probe")
    assert code == 0
    assert "going by 8 that were asked" in out
    assert [path.name for path in config.output.iterdir()] == [".work"]
    probed = configure.server.stats()["asked"]
    assert probed >= 32
    command("plan", "-c", "skillmill.yaml", "--probe")
    assert configure.server.stats()["asked"] == probed

    run(config)
    stats = configure.server.stats()
    assert stats["repeated"] == 0
    assert state(config)["totals"]["calls"] == stats["asked"]  # the probe's are part of the run
    predicted, used = state(config)["predicted"], state(config)["totals"]
    assert predicted["measured_cells"] == 8
    assert predicted["acceptance"] > 0.3
    assert predicted["total"]["completion_tokens"] == pytest.approx(used["completion_tokens"], rel=0.5)
    assert predicted["seconds"][0] > 0
    page = (config.output / "report.html").read_text()
    assert f'<td>completion tokens</td><td class="n">{predicted["total"]["completion_tokens"]:,}</td>' in page


def test_a_probe_leaves_the_run_the_bytes_it_has_without(configure: Any) -> None:
    plain, probed = configure(output_dir="plain"), configure(output_dir="probed")
    run(plain)
    probe(probed, make_plan(probed, configured_taxonomy(probed)), cells=5)
    run(probed)
    assert [*data(plain).values()] == [*data(probed).values()]


def test_a_probe_keeps_to_the_budget(configure: Any) -> None:
    config = configure(budget={"tokens": 500})
    code, _, errors = command("plan", "-c", "skillmill.yaml", "--probe")
    assert code == 0
    assert "budget.tokens" in errors
    assert configure.server.stats()["asked"] <= IN_FLIGHT
    assert not (config.work / "probe.json").exists()


@pytest.mark.parametrize(
    ("generation", "acceptance", "cells"),
    [
        ({"samples": 50}, 0.1, 50),
        ({"accepted": 50}, 0.5, 100),
        ({"accepted": 50}, 0.3, 167),
        ({"accepted": 50, "samples": 60}, 0.5, 60),
        ({"accepted": 50, "samples": 60}, None, 60),
        ({"accepted": 50}, None, 50),
        ({"accepted": 50}, 0.0, HOPELESS),
        ({"accepted": 50, "samples": 900}, 0.0, 900),
    ],
)
def test_cells_that_a_target_needs(generation: dict[str, int], acceptance: float | None, cells: int) -> None:
    assert cells_needed(GenerationConfig(**generation), acceptance) == cells


def test_time_is_between_a_teacher_that_scales_and_one_that_does_not(configure: Any) -> None:
    config = configure(generation={"samples": 800})
    sizes = Sizes("p", 2, 2, {"draft": StageUsage(calls=2, seconds=4.0)})  # two cells of two seconds
    assert predict(sizes, config).seconds == (400.0, 800.0)  # four in flight, or no more than the probe's two
    assert predict(sizes, config).cells == 800


@given(st.integers(1, 500), st.data())
def test_an_interval_holds_its_share_and_narrows(of: int, draw: st.DataObject) -> None:
    good = draw.draw(st.integers(0, of))
    low, high = wilson(good, of)
    assert 0 <= low <= good / of + 1e-9 and good / of - 1e-9 <= high <= 1
    narrow = wilson(10 * good, 10 * of)
    assert narrow[1] - narrow[0] < high - low


# The budget


@pytest.mark.parametrize(
    "budget", [{"tokens": 12_000}, {"money": 0.01}, {"tokens": 600}], ids=["tokens", "money", "less than a row"]
)
def test_a_budget_stops_a_run_cleanly_and_a_higher_one_goes_on(
    configure: Any, budget: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skillmill.train.check.check_train", lambda *_: None)  # loads torch; nothing is trained here
    settings = {"prices": PRICES, "generation": {"samples": 14, "shard_rows": 5}, "pairs": {"sources": ["brevity"]}}
    whole = configure(**settings, output_dir="whole")
    run(whole)
    config = configure(**settings, budget=budget, train={"sft": {}})
    asked = configure.server.stats()["asked"]
    found = run(config)
    assert found == {"dataset": config.output / "export", "report": config.output / "report.html"}  # no training
    stopped = state(config)
    [cap] = budget
    assert stopped["status"] == "partial"
    assert stopped["reason"].startswith(f"budget.{cap}: ")
    calls = configure.server.stats()["asked"] - asked
    assert stopped["totals"]["calls"] == calls
    most_a_call = 1.1 * max(stage["prompt_tokens"] / stage["calls"] for stage in state(whole)["usage"].values()) + 600
    over = stopped["totals"]["tokens"] - 12_000 if cap == "tokens" else 0
    assert over <= IN_FLIGHT * most_a_call
    if cap == "money":
        assert stopped["totals"]["money"] <= 0.01 + IN_FLIGHT * most_a_call * 2 / 1e6

    run(config)  # the same budget: nothing is left of it
    assert configure.server.stats()["asked"] - asked - calls <= IN_FLIGHT

    config = configure(**settings)
    run(config)
    assert state(config)["status"] == "finished"
    assert state(config)["reason"] == ""
    assert [*data(config).values()] == [*data(whole).values()]
    assert exported(config) == exported(whole)
    assert state(config)["totals"]["calls"] == state(whole)["totals"]["calls"]
    assert state(config)["totals"]["tokens"] == state(whole)["totals"]["tokens"]


def test_a_budget_of_hours_ends_a_run(configure: Any) -> None:
    configure(budget={"hours": 1e-5})
    code, _, errors = command("run", "-c", "skillmill.yaml")
    assert code == 0
    assert "budget.hours: 0.00 of 1e-05 hours are over" in errors
    assert configure.server.stats()["asked"] <= IN_FLIGHT


def test_a_budget_covers_the_taxonomy(configure: Any) -> None:
    taxonomy = {"source": "teacher", "topics": 8}
    config = configure(taxonomy=taxonomy, budget={"tokens": 30})  # less than one reply
    code, _, errors = command("run", "-c", "skillmill.yaml")
    assert code == 0
    assert errors.strip().endswith("run again with a higher budget to go on")
    assert state(config)["status"] == "partial"
    assert not (config.output / "taxonomy.yaml").exists()
    assert 1 <= configure.server.stats()["asked"] <= IN_FLIGHT


def test_money_needs_prices() -> None:
    with pytest.raises(ConfigError, match=r"^budget\.money: expected prices too, such as prices: \{input"):
        parse_config({"budget": {"money": 3}})


# A target that cannot be met


def test_a_target_that_nothing_comes_near_is_given_up(configure: Any) -> None:
    hard = {"too_short": {"words_per_skill": 10_000}}
    generation = {"accepted": 3, "kind": "skill_mix"}
    config = configure(generation=generation, filters=hard)
    with pytest.raises(SkillmillError, match=r"0 of 3 accepted after 200 cells, fewer than one in 200: .*samples") as e:
        run(config)
    assert e.value.exit_code == 1
    assert state(config)["status"] == "failed"
    assert state(config)["funnel"]["rows"] == HOPELESS  # kept and exported
    asked = configure.server.stats()["asked"]
    assert asked <= 2 * (HOPELESS + IN_FLIGHT)
    with pytest.raises(SkillmillError, match="fewer than one in 200"):
        run(config)
    assert configure.server.stats()["asked"] == asked
    with pytest.raises(SkillmillError, match=r"after 210 cells, and generation\.samples is reached"):
        run(configure(generation={**generation, "samples": 210}, filters=hard))


# The accounting


def test_a_kill_forgets_no_more_than_the_last_moments(configure: Any, scripted_server: Callable[..., Any]) -> None:
    slow = scripted_server(latency=0.05)
    teacher = {"kind": "openai", "model": "scripted", "base_url": slow.base_url, "max_in_flight": IN_FLIGHT}
    config = configure(teacher=teacher, generation={"samples": 60})
    process = start("run", "-c", "skillmill.yaml")
    ledger = config.work / "ledger.json"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if ledger.exists() and orjson.loads(ledger.read_bytes())["usage"].get("refine", {}).get("calls", 0) > 5:
            break
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    kept = sum(stage["calls"] for stage in orjson.loads(ledger.read_bytes())["usage"].values())
    asked = slow.stats()["asked"]
    assert asked - kept <= 1.5 / 0.025 * IN_FLIGHT  # what one tick and a half can hold
    run(config)
    total, stats = state(config)["totals"]["calls"], slow.stats()
    assert total == kept + stats["asked"] - asked


def test_usage_is_not_doubled_by_further_calls(configure: Any) -> None:
    config = configure(prices=PRICES)
    run(config)
    once = state(config)
    assert once["totals"]["calls"] == configure.server.stats()["asked"]
    paid = once["totals"]["prompt_tokens"] * 0.5 + once["totals"]["completion_tokens"] * 2
    assert once["totals"]["money"] == pytest.approx(paid / 1e6)
    run(config)
    report_step(config, None)
    assert state(config)["usage"] == once["usage"]
    (config.work / "ledger.json").unlink()  # the work directory may be lost: run.json has the same
    run(config)
    assert state(config)["usage"] == once["usage"]


def test_the_progress_line_tells_rate_cache_money_and_time_left() -> None:
    usage = Usage(prices=parse_config({"prices": PRICES}).prices)
    pace = Pace(usage)
    assert pace.text() == "0 tokens/s, 0.00 spent"
    pace.at((0, 100), (0, None))
    usage.stages["draft"] = StageUsage(prompt_tokens=1000, cached_tokens=250, completion_tokens=10**6)
    time.sleep(0.05)
    pace.at((10, 100), (7, None))
    assert re.fullmatch(r"[\d,]+ tokens/s, 25% of prompts cached, 2\.00 spent, \d+ s left", pace.text())


def test_durations_and_money_are_short() -> None:
    assert [duration(s) for s in (0.4, 89, 720, 9000)] == ["0 s", "89 s", "12 min", "2.5 h"]
    assert [money(m) for m in (0, 0.00123, 3.14159, 12345.6)] == ["0.00", "0.0012", "3.14", "12,345.60"]


# Report and preview


def test_teacher_text_is_escaped_in_the_report(configure: Any) -> None:
    config = configure()
    run(config)
    evil = "<script>alert(1)</script>"
    with open_workspace(config) as workspace:
        [first, *_] = workspace.samples.of_plan(state(config)["plan"])
        rows = workspace.samples.rows(first).to_pylist()
        for row in rows:
            row |= {"prompt": [{"role": "user", "content": evil}], "draft": evil, "critique": evil, "skills": [evil]}
            row["completion"] = [{"role": "assistant", "content": evil}]
        workspace.samples.commit(first.plan, first.start, first.stop, rows, first.cells, first.accepted)
    page = report_step(config, None).read_text()
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(1)") >= 5
    assert "default-src 'none'" in page


def test_a_preview_shows_every_turn_and_writes_nothing(configure: Any, tmp_path: Path) -> None:
    configure(prices=PRICES)
    before = sorted(tmp_path.rglob("*"))
    code, out, errors = command("preview", "-c", "skillmill.yaml", "-n", "3")
    assert (code, errors) == (0, "")
    assert sorted(tmp_path.rglob("*")) == before
    for stage in ("instruction", "response", "critique", "refine"):
        assert len(re.findall(rf"─ {stage} ─", out)) == 3
    for column in ("verdict", "signals", "grade", "tokens"):
        assert len(re.findall(rf"^│ {column} ", out, re.MULTILINE)) == 3
    assert out.count("You write the questions") == 1  # the static part is shown once
    assert re.search(r"of 3 rows accepted; 12 calls, .* spent; nothing was written", out)


def test_a_preview_works_beside_a_run(configure: Any, capsys: pytest.CaptureFixture[str]) -> None:
    config = configure()
    run(config)
    with open_workspace(config):  # as a run holds it
        before = {path: path.stat().st_mtime_ns for path in config.output.rglob("*")}
        preview_rows(config, 1)
        assert {path: path.stat().st_mtime_ns for path in config.output.rglob("*")} == before
    assert "of 1 rows accepted" in capsys.readouterr().out


def test_the_taxonomy_step_says_why_it_stopped(configure: Any) -> None:
    config = configure(taxonomy={"source": "teacher"}, budget={"tokens": 1})
    with pytest.raises(BudgetMet, match=r"budget\.tokens: .* of 1 tokens are used; what was finished is kept"):
        taxonomy_step(config)
