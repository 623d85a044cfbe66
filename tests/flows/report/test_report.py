"""The report: counts, example rows, and escaped text of the teacher."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from skillmill.data.records import Sample, SampleRow, sample_row
from skillmill.data.store import sample_store
from skillmill.filters.apply import explanation_of
from skillmill.flows.cli.main import app
from skillmill.flows.config import Config, parse_config
from skillmill.flows.report.funnel import print_funnel
from skillmill.flows.report.survey import EXAMPLES_PER_REASON, Survey, survey
from skillmill.flows.report.wording import cut, kept_row
from skillmill.flows.runtime.workspace import open_workspace
from skillmill.flows.steps.generate import generate_step
from skillmill.flows.steps.report import report_step

PLAN = "0123456789abcdef"


def row(index: int, *reasons: str, **sample: Any) -> SampleRow:
    made = Sample(**{"instruction": f"Question {index}?", "response": f"Answer {index}.", "reasons": reasons, **sample})
    nothing: dict[str, Any] = dict.fromkeys(("topic", "query_type", "teacher", "prompts", "seed", "split"))
    return sample_row(
        made, **nothing, plan=PLAN, index=index, cell=f"{index}", kind="instruct_skill_mix", k=2, skills=["a", "b"]
    )


def surveyed(folder: Path, *shards: list[SampleRow]) -> Survey:
    store = sample_store(folder)
    store.recover()
    start = 0
    for rows in shards:
        store.commit(PLAN, start, start + len(rows), rows, len(rows), 0)
        start += len(rows)
    return survey(sample_store(folder), PLAN)


def test_each_reason_shows_the_rows_with_the_lowest_indices(tmp_path: Path) -> None:
    first = [row(0, "refusal"), row(1), row(3, "echo", "refusal"), row(4, "refusal")]
    second = [row(7, "refusal"), row(8, "echo"), row(9, "too_short"), row(12)]
    found = surveyed(tmp_path, first, second)
    assert [(reason, count, share) for reason, count, share, _ in found.by_reason()] == [
        ("refusal", 4, 0.5),
        ("echo", 2, 0.25),
        ("too_short", 1, 0.125),
    ]
    indices = {reason: [each["index"] for each in rows] for reason, _, _, rows in found.by_reason()}
    assert indices == {"refusal": [0, 3, 4], "echo": [3, 8], "too_short": [9]}
    assert [each["index"] for each in found.accepted] == [1, 12]
    assert found.rejected["too_short"][0]["completion"][0]["content"] == "Answer 9."
    funnel = found.funnel
    assert (funnel.cells, funnel.rows, funnel.accepted_rows, funnel.accepted_cells) == (8, 8, 2, 2)
    assert funnel.per_skill == {"a": 2, "b": 2}


def test_a_row_that_an_override_accepts_is_not_counted_as_rejected(tmp_path: Path) -> None:
    found = surveyed(tmp_path, [{**row(0, "refusal"), "verdict": "accepted"}])
    assert found.by_reason() == []
    assert [each["index"] for each in found.accepted] == [0]


def test_only_examples_are_read_with_all_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the counted columns are read of a shard without examples."""
    read: list[Any] = []
    store = sample_store(tmp_path)
    read_rows = type(store).read_unverified

    def counting_read(self: Any, shard: Any, columns: list[str] | None = None) -> pa.Table:
        read.append((shard.start, columns is None))
        return read_rows(self, shard, columns)

    monkeypatch.setattr(type(store), "read_unverified", counting_read)
    shards = [[row(index, "refusal") for index in range(start, start + 5)] for start in range(0, 50, 5)]
    found = surveyed(tmp_path, *shards)
    assert len(found.rejected["refusal"]) == EXAMPLES_PER_REASON
    assert [start for start, whole in read if whole] == [0]
    assert len([start for start, whole in read if not whole]) == 10


def test_the_terminal_gets_counts_shares_and_meanings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_funnel(surveyed(tmp_path, [row(0, "refusal"), row(1), row(2, "custom:bell\a \x1b[31mred [bold]")]))
    printed = capsys.readouterr().out
    assert "3 cells, 1 with an accepted row (33.3%)" in printed
    assert "refusal" in printed
    assert "declines instead of" in printed
    assert "a filter of your own said so" in " ".join(printed.split())
    assert "\x1b" not in printed
    assert "\a" not in printed
    assert "[bold]" in printed


def test_a_duplicate_names_the_kept_row() -> None:
    signals = {"duplicate_of_index": 7.0, "duplicate_instruction": 1.0, "duplicate_response": 0.8125}
    assert (
        kept_row(row(9, "near_duplicate", signals=signals)) == "kept: index 7 (alike: instruction 1.00, response 0.81)"
    )
    of_plan = row(9, "near_duplicate", signals=signals | {"duplicate_of_plan": float(0x0AB1C2D3)})
    assert "kept: index 7 of plan 0ab1c2d3 (" in kept_row(of_plan)
    assert kept_row(row(9, "refusal")) == ""


def test_an_unknown_reason_is_shown_without_an_explanation(tmp_path: Path) -> None:
    assert explanation_of("a_reason_of_old") == ""
    assert surveyed(tmp_path, [row(0, "a_reason_of_old")]).by_reason()[0][0] == "a_reason_of_old"


def test_long_texts_are_cut_and_say_so() -> None:
    assert cut("short", 10) == "short"
    assert cut("x" * 1300, 100) == "x" * 100 + " … (1,200 characters more)"


@pytest.fixture
def generated(tmp_path: Path, scripted_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Config:
    """The configuration of a run whose rows are generated and not exported."""
    monkeypatch.chdir(tmp_path)
    skills = [{"name": f"skill {letter}", "category": "c", "definition": f"Doing {letter}."} for letter in "abcdef"]
    types = [{"name": "How-to", "definition": "wants steps"}]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"skills": skills, "query_types": types}))
    teacher = {"kind": "openai", "model": "scripted", "base_url": scripted_server().base_url, "max_in_flight": 4}
    content = {
        "name": "test",
        "output_dir": "out",
        "taxonomy": str(tmp_path / "mine.yaml"),
        "teacher": {**teacher, "sampling": {"max_tokens": 600}},
        "generation": {"samples": 6, "shard_rows": 3},
    }
    (tmp_path / "skillmill.yaml").write_text(yaml.safe_dump(content))
    config = parse_config(content)
    generate_step(config)
    return config


def rewrite(config: Config, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Change the stored rows."""
    with open_workspace(config) as workspace:
        for shard in list(workspace.samples.shards):
            rows = [change(each) for each in workspace.samples.rows(shard).to_pylist()]
            workspace.samples.commit(shard.plan, shard.start, shard.stop, rows, shard.cells, shard.accepted)


def test_the_page_escapes_masks_and_cuts_text_of_the_teacher(generated: Config) -> None:
    hostile = '<script>alert("x")</script> {{ 7 * 6 }} write to jane.roe@acme-corp.com now. ' + "long " * 1000

    def change(each: dict[str, Any]) -> dict[str, Any]:
        texts = {
            "prompt": [{"role": "user", "content": hostile}],
            "completion": [{"role": "assistant", "content": hostile}],
        }
        return {**each, **texts, "verdict": "rejected", "reasons": ["refusal", "custom:<b>mine</b>"]}

    rewrite(generated, change)
    page = report_step(generated, None).read_text()
    assert "<script" not in page
    assert "<b>mine</b>" not in page
    assert "custom:&lt;b&gt;mine&lt;/b&gt;" in page
    assert "{{ 7 * 6 }}" in page
    assert "jane.roe@" not in page
    assert "[e-mail address]" in page
    assert "characters more)" in page
    assert page.count("long ") < 2 * 3 * (700 + 300) / 5 + 10
    assert page.count("<article>") == 2 * EXAMPLES_PER_REASON
    assert "100.0%" in page


def test_the_command_prints_the_funnel_before_any_export(generated: Config, capsys: pytest.CaptureFixture[str]) -> None:
    rewrite(generated, lambda each: {**each, "verdict": "rejected", "reasons": ["echo"]} if each["index"] % 2 else each)
    app(["report", "-c", "skillmill.yaml"], standalone_mode=False)
    printed = capsys.readouterr().out
    assert "6 rows" in printed
    assert "echo" in printed
    assert str(generated.output / "report.html") in printed
    page = (generated.output / "report.html").read_text()
    assert "the answer gives back the instruction" in page
    assert "preference pairs" not in page  # none is generated yet
