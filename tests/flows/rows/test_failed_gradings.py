"""A grader that fails in a run, over real HTTP servers: what happens to the rows, and what is shown."""

from collections.abc import Callable
from typing import Any

import pytest
from graded_runs import ALWAYS, LENIENT, NOWHERE, Runs, all_rows, data, run_to_the_export, state

from skillmill.data.errors import SkillmillError
from skillmill.flows.pipeline import run
from skillmill.flows.report.funnel import funnel_markdown
from skillmill.flows.steps.report import report_step

IN_VAIN = {"graded": 0, "ungraded": 12, "gradings": 12, "unusable_gradings": 12}


@pytest.mark.usefixtures("messages_on_stderr")
@pytest.mark.parametrize(
    ("grades", "words"),
    [
        ("prose", "replied “I think this is a fine text. It reads well"),
        ("others", 'replied “{"skills":{"juggling"'),
        ("empty", "gave an empty reply"),
        ("cut", 'replied “{"skills": {"skill a": {"evidence": "The river”'),
    ],
)
def test_a_grader_that_fails_entirely_accepts_nothing_and_shows(
    runs: Runs, scripted_server: Callable[..., Any], capfd: pytest.CaptureFixture[str], grades: str, words: str
) -> None:
    runs.grader = scripted_server(grades=grades)
    config = runs("out", grading=ALWAYS)
    run_to_the_export(config)
    messages = capfd.readouterr().err
    assert {tuple(row["reasons"]) for row in all_rows(config)} == {("not_graded",)}
    [warning] = [line for line in messages.splitlines() if "gradings are unusable" in line]
    assert words in warning and "\x1b" not in warning
    assert "rejected as not_graded (grading.on_failure: reject)" in warning
    assert "0 graded, 12 in vain" in messages
    assert state(config)["totals"].items() >= IN_VAIN.items()
    assert "0 graded, 12 in vain" in (config.output / "report.html").read_text()
    assert "0 graded, 12 in vain" in (config.output / "export" / "README.md").read_text()
    artifact = funnel_markdown(state(config)["funnel"])
    assert "| rows with a grade | 0 |\n| rows graded in vain | 12 |\n| gradings without points | 12 of 12 |" in artifact
    report_step(config, None, show=True)
    assert "0 graded, 12 in vain\n" in capfd.readouterr().out
    working = {**config.model_dump(mode="json")["grader"], "base_url": runs.teacher.base_url, "model": "better"}
    working.pop("headers")
    run(runs("out", grading=ALWAYS, grader=working))  # the row is asked for again
    assert state(config)["totals"]["graded"] > 6


def test_a_row_with_one_usable_grading_counts_as_graded(
    runs: Runs, scripted_server: Callable[..., Any], capfd: pytest.CaptureFixture[str]
) -> None:
    runs.grader = scripted_server(grades="half")
    config = runs("out", grading={**ALWAYS, "runs": 3}, filters=LENIENT)
    run(config)
    totals = state(config)["totals"]
    assert totals["gradings"] == 36
    assert 0 < totals["ungraded"] < totals["graded"]
    assert totals["unusable_gradings"] > 3 * totals["ungraded"]
    report_step(config, None, show=True)
    assert f"{totals['unusable_gradings']} of 36 gradings unusable" in capfd.readouterr().out


def test_points_without_evidence_are_taken_off_and_counted_everywhere(
    runs: Runs, scripted_server: Callable[..., Any], capfd: pytest.CaptureFixture[str]
) -> None:
    runs.grader = scripted_server(grades="no_evidence")
    config = runs("out", grading=ALWAYS, filters=LENIENT)
    run(config)
    graded = [row["grade"] for row in all_rows(config) if row["grade"]]
    assert graded and not any(skill["point"] for grade in graded for skill in grade["skills"])
    points = 2 * len(graded)
    assert state(config)["totals"]["points_taken_off"] == {"no_quote": points}
    words = f"{points} points of skills taken off (no_quote {points})"
    assert words in (config.output / "report.html").read_text()
    assert words.replace("_", "") in (config.output / "export" / "README.md").read_text().replace("_", "").replace(
        "\\", ""
    )
    assert f"| points taken off: no_quote | {points} |" in funnel_markdown(state(config)["funnel"])
    report_step(config, None, show=True)
    assert words in capfd.readouterr().out


@pytest.mark.usefixtures("messages_on_stderr")
@pytest.mark.parametrize(("on_failure", "verdict"), [("keep", "accepted"), ("reject", "rejected")])
def test_a_grader_that_refuses_everything_leaves_its_rows_to_on_failure(
    runs: Runs, scripted_server: Callable[..., Any], capfd: pytest.CaptureFixture[str], on_failure: str, verdict: str
) -> None:
    runs.grader = scripted_server(error="400:this model does not exist")
    config = runs("out", grading={**ALWAYS, "on_failure": on_failure})
    run_to_the_export(config)
    assert {row["verdict"] for row in all_rows(config)} == {verdict}
    assert state(config)["totals"].items() >= IN_VAIN.items()
    assert "this model does not exist" in capfd.readouterr().err


def test_a_grader_that_refuses_everything_ends_the_run_under_stop(
    runs: Runs, scripted_server: Callable[..., Any]
) -> None:
    runs.grader = scripted_server(error="400:this model does not exist")
    with pytest.raises(SkillmillError, match=r"the grader .* gave no reply \(.*this model does not exist.*stop ends"):
        run(runs("out", grading={**ALWAYS, "on_failure": "stop"}))


@pytest.mark.parametrize("grading", [{**ALWAYS, "on_failure": "keep"}, {"when": "unsure"}])
def test_rows_that_were_kept_without_a_grade_are_decided_by_the_new_rule(
    runs: Runs, scripted_server: Callable[..., Any], grading: dict[str, Any]
) -> None:
    runs.grader = scripted_server(grades="prose")
    config = runs("out", grading=grading)
    run(config)
    assert {row["verdict"] for row in all_rows(config)} == {"accepted"}
    run_to_the_export(runs("out", grading=ALWAYS))
    assert {tuple(row["reasons"]) for row in all_rows(config)} == {("not_graded",)}
    assert runs.asked == (24, 12)
    before = data(config)
    run_to_the_export(runs("out", grader=NOWHERE))  # switched off
    assert data(config) == before
    run(runs("out", grading=grading))
    assert {row["verdict"] for row in all_rows(config)} == {"accepted"}


@pytest.mark.parametrize("stored", [False, True])
def test_stop_ends_the_run_and_keeps_what_was_finished(
    runs: Runs, scripted_server: Callable[..., Any], stored: bool
) -> None:
    runs.grader = scripted_server(bad="skill c")
    if stored:
        run(runs("out"))
    config = runs("out", grading={**ALWAYS, "on_failure": "stop"})
    with pytest.raises(
        SkillmillError, match=r"^grading: no usable grade .* gave no reply \(HTTP 400: .*stop ends [^\n]*$"
    ):
        run(config)
    assert all(row["grade"] or not row["grader"] for row in all_rows(config))
    lenient = runs("out", grading=ALWAYS)
    run(lenient)
    assert {row["verdict"] for row in all_rows(config) if "skill c" in row["skills"]} == {"rejected"}


def test_a_grading_that_got_no_reply_is_asked_for_by_the_next_run(
    runs: Runs, scripted_server: Callable[..., Any]
) -> None:
    config = runs("out", grading=ALWAYS)
    run(config)
    assert any("not_graded" in row["reasons"] for row in all_rows(config) if "skill c" in row["skills"])
    runs.grader = scripted_server()
    run(runs("out", grading=ALWAYS))
    fresh = runs("fresh", grading=ALWAYS)
    run(fresh)
    assert data(config) == data(fresh)
