"""Grading in a run, over a real HTTP teacher and grader: what is asked, what lies there, what shows."""

import shutil
from pathlib import Path

import orjson
import pytest
from graded_runs import ALWAYS, LENIENT, NOWHERE, Runs, all_rows, data, rows, state

from skillmill.data.errors import TeacherError
from skillmill.flows.commands.plan import describe_plan
from skillmill.flows.commands.preview import preview_rows
from skillmill.flows.commands.score import score
from skillmill.flows.pipeline import run
from skillmill.flows.steps.export import export_step
from skillmill.flows.steps.filter import filter_step
from skillmill.flows.steps.generate import generate_step
from skillmill.flows.steps.report import report_step
from skillmill.train.evaluation.skill_mix_metrics import Bootstrap


@pytest.mark.parametrize("kind", ["skill_mix", "instruct_skill_mix"])
def test_every_row_that_no_other_filter_rejects_is_graded(runs: Runs, kind: str) -> None:
    config = runs("out", generation={"kind": kind, "samples": 20, "shard_rows": 7}, grading=ALWAYS)
    run(config)
    everything = all_rows(config)
    for row in everything:
        assert (row["grader"] == "grader") == (set(row["reasons"]) <= {"low_grade", "not_graded"})
        assert row["grade"] is None or row["grade"]["total"] <= 5
        unread = "ungraded" in dict(row["signals"])
        assert unread == (row["grader"] is not None and row["grade"] is None)
        assert unread == (row["reasons"] == ["not_graded"])
    graded = [row for row in everything if row["grader"]]
    assert any("low_grade" in row["reasons"] for row in graded)
    assert any(row["grade"] is None and row["verdict"] == "rejected" for row in graded)  # a bad request, bad JSON
    raw = rows(config, "grades")
    assert {grading["id"] for grading in raw} == {row["id"] for row in graded}
    assert state(config)["usage"]["grade"]["calls"] == len(graded) == runs.asked[1]
    assert state(config)["funnel"]["gradings"] == len(graded)


def test_the_grades_are_scored_and_shown(runs: Runs, capfd: pytest.CaptureFixture[str]) -> None:
    config = runs("out", grading={**ALWAYS, "runs": 3}, filters=LENIENT)
    run(config)
    score(config.output, Path("metrics.json"), (), "ignore", Bootstrap())
    metrics = orjson.loads(Path("metrics.json").read_bytes())
    full = [row["grade"]["total"] == 5 for row in all_rows(config) if row["grade"]]
    assert metrics["overall"]["best"]["full_marks"]["value"] == pytest.approx(sum(full) / len(full))
    graded = sum(row["grader"] is not None for row in all_rows(config))
    assert metrics["gradings"] + metrics["unusable_gradings"] == 3 * graded
    assert set(metrics["per_skill"]) <= {f"skill {letter}" for letter in "abcdef"}
    page = (config.output / "report.html").read_text()
    assert "grader" in page and "makes sense" in page
    assert "| grader | grader |" in (config.output / "export" / "README.md").read_text()
    report_step(config, None, show=True)
    assert "graded by grader" in capfd.readouterr().out


def test_the_best_generation_of_a_cell_is_the_one_with_the_most_points(runs: Runs) -> None:
    generation = {"kind": "skill_mix", "samples": 8, "generations": 3}
    config = runs("out", generation=generation, grading=ALWAYS, filters=LENIENT)
    run(config)
    totals: dict[int, list[float]] = {}
    for row in all_rows(config):
        if row["verdict"] == "accepted":
            totals.setdefault(row["index"], []).append(row["grade"]["total"] if row["grade"] else 0.0)
    assert any(len(set(of_cell)) > 1 for of_cell in totals.values())
    for row in rows(config):
        assert (row["grade"]["total"] if row["grade"] else 0.0) == max(totals[row["index"]])


@pytest.mark.parametrize("kind", ["skill_mix", "instruct_skill_mix"])
def test_grading_switched_on_for_stored_rows_is_a_fresh_run_without_its_generation(runs: Runs, kind: str) -> None:
    sections = {"generation": {"kind": kind, "samples": 12, "shard_rows": 5}}
    fresh = runs("fresh", **sections, grading=ALWAYS)
    run(fresh)
    taught, graded = runs.asked
    run(runs("out", **sections))
    assert runs.asked == (2 * taught, graded)
    config = runs("out", **sections, grading=ALWAYS)
    run(config)
    assert runs.asked == (2 * taught, 2 * graded)
    assert data(config) == data(fresh)
    filter_step(config)
    run(config)
    assert runs.asked[0] == 2 * taught
    assert data(config) == data(fresh)


def test_other_thresholds_ask_nobody_and_no_grader_has_to_be_there(runs: Runs) -> None:
    sections = {"generation": {"weights": {"skill c": 0}}, "grading": ALWAYS}  # no request in vain
    config = runs("out", **sections)
    run(config)
    before, asked = all_rows(config), runs.teacher.stats()["asked"]
    shutil.rmtree(config.work)  # the journal too: the replies lie in grades/
    runs.grader.process.kill()
    filter_step(runs("out", **sections, filters=LENIENT))
    assert runs.teacher.stats()["asked"] == asked
    after = all_rows(config)
    assert [row["grade"] for row in after] == [row["grade"] for row in before]
    assert [row["verdict"] for row in after] != [row["verdict"] for row in before]


def test_a_grading_without_a_reply_is_asked_for_again(runs: Runs) -> None:
    config = runs("out", grading=ALWAYS)
    run(config)
    assert any("skill c" in row["skills"] and row["grader"] for row in all_rows(config))
    runs.grader.process.kill()
    with pytest.raises(TeacherError):
        filter_step(config)


def test_other_thresholds_give_the_bytes_of_a_fresh_run(runs: Runs) -> None:
    config = runs("out", grading=ALWAYS)
    run(config)
    asked = runs.asked
    shutil.rmtree(config.work)
    lenient = runs("out", grading=ALWAYS, filters=LENIENT)
    filter_step(lenient)
    in_vain = sum("skill c" in row["skills"] and row["grader"] is not None for row in all_rows(config))
    assert runs.asked == (asked[0], asked[1] + in_vain)
    export_step(lenient)
    fresh = runs("fresh", grading=ALWAYS, filters=LENIENT)
    run(fresh)
    names = [name for name in data(fresh) if name.startswith(("shards", "grades", "manifest", "export/sft"))]
    assert {name: data(fresh)[name] for name in names} == {name: data(lenient)[name] for name in names}


def test_more_runs_ask_for_those_that_are_missing(runs: Runs) -> None:
    config = runs("out", grading=ALWAYS)
    run(config)
    graded = sum(row["grader"] is not None for row in all_rows(config))
    shutil.rmtree(config.work)
    in_vain = sum("skill c" in row["skills"] and row["grader"] is not None for row in all_rows(config))
    before = runs.asked[1]
    run(runs("out", grading={**ALWAYS, "runs": 3}))
    assert runs.asked[1] - before == 2 * graded + in_vain
    assert len(rows(config, "grades")) == 3 * graded


def test_another_grader_grades_anew(runs: Runs) -> None:
    config = runs("out", grading=ALWAYS)
    run(config)
    other = {**config.model_dump(mode="json")["grader"], "base_url": runs.teacher.base_url, "model": "other"}
    other.pop("headers")
    run(runs("out", grading=ALWAYS, grader=other))
    assert {row["grader"] for row in all_rows(config)} - {None} == {"other"}
    assert {grading["grader"] for grading in rows(config, "grades")} == {"other"}


def test_prompts_of_an_own_folder_grade_anew_and_a_comment_in_them_does_not(runs: Runs) -> None:
    """The folder is relative to the configuration file."""
    own = runs.folder / "own" / "skill_mix.jinja"
    own.parent.mkdir()
    graded_by_own = {**ALWAYS, "prompts": "own"}
    own.write_text("You grade. Reply in JSON.")
    config = runs("out", grading=ALWAYS)
    run(config)
    graded = sum(row["grader"] is not None for row in all_rows(config))
    in_vain = sum("skill c" in row["skills"] and row["grader"] is not None for row in all_rows(config))
    before = runs.asked[1]
    run(runs("out", grading=graded_by_own))
    assert runs.asked[1] - before == graded > in_vain
    own.write_text("{# Short. #}You grade. Reply in JSON.")
    run(runs("out", grading=graded_by_own))
    assert runs.asked[1] - before == graded + in_vain  # as any further run


def test_switched_off_the_grades_stay_and_nobody_is_asked(runs: Runs) -> None:
    config = runs("out", grading=ALWAYS)
    run(config)
    before, asked = data(config), runs.asked
    run(runs("out", grader=NOWHERE))
    assert data(config) == before
    assert runs.asked == asked


def test_unsure_leaves_out_what_the_cheap_tier_is_sure_of(runs: Runs) -> None:
    generation = {"kind": "instruct_skill_mix", "samples": 20}
    always = runs("always", generation=generation, grading=ALWAYS)
    run(always)
    scores = sorted(dict(row["signals"])["shirker_score"] for row in all_rows(always) if row["grader"])
    middle = scores[len(scores) // 2]
    config = runs("out", generation=generation, grading={"when": "unsure", "sure_below": middle})
    run(config)
    for row in all_rows(config):
        if row["completion"] and set(row["reasons"]) <= {"low_grade"}:
            assert (row["grader"] is not None) == (dict(row["signals"])["shirker_score"] >= middle)
    assert sum(row["grader"] is not None for row in all_rows(config)) == len([s for s in scores if s >= middle])


@pytest.mark.usefixtures("messages_on_stderr")
def test_a_budget_ends_the_grading_of_stored_rows_and_a_higher_one_goes_on(
    runs: Runs, capfd: pytest.CaptureFixture[str]
) -> None:
    sections = {"generation": {"kind": "skill_mix", "samples": 30, "shard_rows": 5}}
    fresh = runs("fresh", **sections, grading=ALWAYS)
    run(fresh)
    config = runs("out", **sections)
    run(config)
    tokens = state(config)["totals"]["tokens"]
    run(runs("out", **sections, grading=ALWAYS, budget={"tokens": tokens + 2000}))
    assert "filter: budget.tokens:" in capfd.readouterr().err
    assert state(config)["status"] == "partial"
    assert 0 < sum(row["grader"] is not None for row in all_rows(config)) < 30
    run(runs("out", **sections, grading=ALWAYS))
    assert data(config) == data(fresh)


def test_skills_with_rules_ask_no_grader(runs: Runs) -> None:
    config = runs("out", taxonomy="builtin:checkable", grading=ALWAYS, grader=NOWHERE, filters=LENIENT)
    run(config)
    graded = [row for row in all_rows(config) if row["grader"]]
    assert graded
    assert {row["grader"] for row in graded} == {"rules"}
    assert all(row["grade"] for row in graded)


@pytest.mark.usefixtures("messages_on_stderr")
def test_a_teacher_that_grades_its_own_work_is_warned_of(runs: Runs, capfd: pytest.CaptureFixture[str]) -> None:
    config = runs("out", grader=None, grading=ALWAYS)
    run(config)
    assert capfd.readouterr().err.count("warning: grader: null") == 1
    assert {row["grader"] for row in all_rows(config)} - {None} == {"teacher"}
    assert runs.asked[1] == 0


def test_a_grader_that_is_not_there_ends_it_before_anything_is_paid_for(runs: Runs) -> None:
    with pytest.raises(TeacherError, match=r"127\.0\.0\.1:9"):
        generate_step(runs("out", grader=NOWHERE, grading=ALWAYS))
    assert runs.asked == (0, 0)


def test_plan_and_probe_count_the_gradings(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    config = runs("out", grading={**ALWAYS, "runs": 2}, generation={"weights": {"skill c": 0}})
    describe_plan(config)
    [line] = [line.split() for line in capsys.readouterr().out.splitlines() if line.split()[:1] == ["grade"]]
    assert line[1] == "24"
    describe_plan(config, 8)
    [line] = [line.split() for line in capsys.readouterr().out.splitlines() if line.split()[:1] == ["grade"]]
    assert 0 < int(line[1]) <= 24
    assert runs.asked[1] > 0
    describe_plan(runs("out", generation={"weights": {"skill c": 0}}))  # what the probe saw is not what is asked now
    assert "Nothing was asked" in capsys.readouterr().out
    run(config)
    assert runs.grader.stats()["repeated"] == runs.teacher.stats()["repeated"] == 0


def test_preview_shows_the_grade_with_its_evidence(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    preview_rows(runs("out", grading=ALWAYS, filters=LENIENT), 4)
    shown = capsys.readouterr().out
    assert "of 5 points by grader" in shown
    assert "<text>" in shown  # the turn itself
    assert "“The " in shown
    assert "within limit" in shown
