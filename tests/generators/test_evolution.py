"""Evolution of an earlier run's instructions: cells, requests, and the columns that the cells keep."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillmill.data.errors import ConfigError
from skillmill.data.reasons import PROMPT_COPY, TRANSPORT, UNCHANGED
from skillmill.data.records import Sample, SampleRow, sample_row
from skillmill.data.store import sample_store
from skillmill.filters.shirker.filter import Shirker
from skillmill.flows.config import parse_config
from skillmill.flows.plan import Plan, make_plan
from skillmill.generators import evolution, instruct_skill_mix, targets
from skillmill.generators.evolution import Evolutions, EvolveConfig, Operator, evolutions, read_parents
from skillmill.generators.instruct_skill_mix import InstructSkillMix
from skillmill.skill_taxonomy.cells import Cell, Parent
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill, Taxonomy
from skillmill.teachers.base import Reply, Request, Sampling
from skillmill.teachers.prompts import shipped

OPERATORS = get_args(Operator)
TAXONOMY = Taxonomy(
    skills=tuple(Skill(name=f"skill {name}") for name in "abc"), query_types=(QueryType(name="Advice"),)
)
OLD = "How can I bring up the rent with my landlord before winter?"
NEW = "How can I bring up the rent with my landlord before winter, now that I owe him two months?"


def parent(i: int, **columns: Any) -> Cell:
    made_from = Parent(f"{i:016x}", f"{OLD} {i}", "")
    return Cell(
        "instruct_skill_mix", i, TAXONOMY.skills[:2], None, TAXONOMY.query_types[0], 0, parent=made_from, **columns
    )


def row(index: int, verdict: str = "accepted", **columns: Any) -> SampleRow:
    reasons = () if verdict == "accepted" else columns.pop("reasons", (Shirker.reason,))
    sample = Sample(
        columns.pop("instruction", f"{OLD} {index}"), "Say so.", columns.pop("generation", 0), reasons=reasons
    )
    cell = {
        "plan": "a" * 16,
        "index": index,
        "cell": "b" * 16,
        "kind": "instruct_skill_mix",
        "k": 2,
        "skills": ["skill a", "Skill B"],
        "query_type": "advice",
        "split": "train",
    }
    return sample_row(sample, **{**cell, **columns})


def run_with(output: Path, *rows: SampleRow) -> Path:
    store = sample_store(output)
    store.recover()
    store.commit("a" * 16, 0, 99, list(rows), len(rows), 1)
    return output


@given(st.integers(1, 30), st.sets(st.sampled_from(OPERATORS), min_size=1), st.integers())
def test_every_parent_meets_every_operator_once(parents: int, operators: set[Operator], seed: int) -> None:
    cells = Evolutions([parent(i) for i in range(parents)], list(operators), seed)
    made = [(cell.parent.row, cell.parent.operator) for cell in cells.cells() if cell.parent]
    assert sorted(made) == sorted((f"{i:016x}", operator) for i in range(parents) for operator in operators)
    assert len({cell.key for cell in cells.cells()}) == cells.size == cells.survivors == sum(cells.space.values())
    assert [cells[i] for i in range(cells.size)] == list(cells.cells())
    assert list(cells.cells(3)) == list(cells.cells())[3:]


def test_the_order_of_operators_in_the_file_does_not_matter_but_the_seed_does() -> None:
    parents = [parent(i) for i in range(9)]
    there, back = Evolutions(parents, OPERATORS, 1), Evolutions(parents, OPERATORS[::-1], 1)
    assert list(there.cells()) == list(back.cells()) and there.fingerprint == back.fingerprint
    assert list(there.cells()) != list(Evolutions(parents, OPERATORS, 2).cells())
    assert there.fingerprint != Evolutions(parents[1:], OPERATORS, 1).fingerprint


def test_skills_query_type_length_and_language_of_the_parent_stay(tmp_path: Path) -> None:
    run_with(tmp_path, row(3, length="short", language="German", split="test"))
    (found,) = read_parents(tmp_path, "any", TAXONOMY)
    assert [skill.name for skill in found.skills] == ["skill a", "skill b"]
    assert found.query_type == TAXONOMY.query_types[0]
    assert (found.length, found.language, found.split) == ("short", "German", "test")
    assert found.parent == Parent(row(3)["id"], f"{OLD} 3", "")


@pytest.mark.parametrize(("verdict", "indices"), [("accepted", [1, 3]), ("rejected", [2, 3]), ("any", [1, 2, 3])])
def test_the_verdict_chooses_the_parents_and_a_cell_is_one_parent(
    tmp_path: Path, verdict: str, indices: list[int]
) -> None:
    rows = (row(1), row(1, generation=1), row(2, "rejected"), row(3, "rejected"), row(3, generation=1))
    run_with(tmp_path, *rows)
    assert [cell.index for cell in read_parents(tmp_path, verdict, TAXONOMY)] == indices


def test_rows_that_have_no_instruction_of_their_own_are_no_parents(tmp_path: Path) -> None:
    run_with(
        tmp_path,
        row(1, "rejected", instruction="", reasons=(TRANSPORT,)),
        row(2, "rejected", reasons=(PROMPT_COPY,)),
        row(3, kind="skill_mix"),
    )
    with pytest.raises(ConfigError, match=r"generation\.evolve\.parents: expected the output_dir .* found none in"):
        evolutions(EvolveConfig(parents=str(tmp_path), verdict="any"), TAXONOMY, 1)


def test_a_skill_that_the_taxonomy_does_not_have_is_named(tmp_path: Path) -> None:
    run_with(tmp_path, row(1, skills=["juggling"]))
    with pytest.raises(ConfigError, match="the taxonomy has no skill 'juggling'"):
        read_parents(tmp_path, "any", TAXONOMY)


class Reworker:
    """A teacher that returns `instruction` in turn 1 and answers all other turns."""

    name = "reworker"

    def __init__(self, instruction: str) -> None:
        self.instruction, self.requests = instruction, list[Request]()

    async def chat(self, request: Request) -> Reply:
        self.requests.append(request)
        reply = {"instruction": self.instruction, "strengths": "Kind.", "weaknesses": "Vague."}
        return Reply(orjson.dumps(reply).decode() if request.json_schema else "Say what you saw.", "stop", 10, 5)


def make(cell: Cell, teacher: Reworker, max_tokens: int = 1024) -> Sample:
    templates = shipped(instruct_skill_mix.FOLDER, targets.FOLDER, evolution.FOLDER)
    generator = InstructSkillMix(Sampling(max_tokens=max_tokens), templates=templates)
    (sample,) = asyncio.run(generator.make(cell, teacher))
    return sample


@pytest.mark.parametrize("max_tokens", [200, 1024])
def test_the_parent_and_the_change_are_told_and_the_reworked_instruction_is_answered(max_tokens: int) -> None:
    teacher = Reworker(NEW)
    cell = replace(Evolutions([parent(0, language="German")], ["narrow"], 1)[0])
    sample = make(cell, teacher, max_tokens)
    assert (sample.instruction, sample.reasons) == (NEW, ())
    task = teacher.requests[0].messages[-1]["content"]
    assert f"{OLD} 0" in task and "Change: make it easier." in task and "Language: German" in task
    assert [request.stage for request in teacher.requests] == ["instruction", "response", "critique", "refine"]


def test_every_operator_has_a_change_of_its_own() -> None:
    templates = shipped(evolution.FOLDER)
    changes = [
        templates.render("evolve_task", query_type="any", skills=(), instruction=OLD, operator=name).splitlines()[-1]
        for name in OPERATORS
    ]
    assert len(set(changes)) == len(OPERATORS)
    assert [line.split(". ")[0] for line in changes] == ["Change: make it harder"] * 4 + ["Change: make it easier"] * 3


def test_what_comes_back_unchanged_is_rejected() -> None:
    cell = Evolutions([parent(0)], ["deepen"], 1)[0]
    assert make(cell, Reworker(f"  {OLD.upper()} 0!")).reasons == (UNCHANGED,)
    assert make(cell, Reworker(NEW)).reasons == ()


def test_a_parents_text_is_data() -> None:
    cell = parent(0)
    assert cell.parent
    cell = replace(cell, parent=Parent("0", "What is {{ 7 * 7 }} {% for %}?", "narrow"))
    teacher = Reworker(NEW)
    make(cell, teacher)
    assert "{{ 7 * 7 }} {% for %}" in teacher.requests[0].messages[-1]["content"]


def plan(tmp_path: Path, **generation: Any) -> Plan:
    settings = {"samples": 5, "evolve": {"parents": str(tmp_path / "parents")}, **generation}
    return make_plan(parse_config({"output_dir": str(tmp_path / "out"), "generation": settings}), TAXONOMY)


def test_a_plan_is_over_its_parents_and_operators(tmp_path: Path) -> None:
    run_with(tmp_path / "parents", row(1), row(2, "rejected"))
    first = plan(tmp_path)
    narrow = plan(tmp_path, evolve={"parents": str(tmp_path / "parents"), "operators": ["narrow"]}, samples=1)
    every = plan(tmp_path, evolve={"parents": str(tmp_path / "parents"), "verdict": "any"})
    assert len({first.fingerprint, narrow.fingerprint, every.fingerprint}) == 3
    assert first.combinations.space == {2: len(OPERATORS)} and every.combinations.space == {2: 2 * len(OPERATORS)}


@pytest.mark.parametrize(
    ("generation", "message"),
    [
        ({"samples": 8}, r"generation\.samples: 8 cells asked for, but the parents and operators .* make 7"),
        ({"kind": "skill_mix"}, r"evolve: kind skill_mix has no such option"),
        ({"length": "short"}, r"length: says how cells are drawn"),
        ({"evolve": {"parents": "x", "operators": []}}, r"generation\.evolve\.operators: expected a list of at"),
        (
            {"evolve": {"parents": "x", "operators": ["shout"]}},
            r"generation\.evolve\.operators\[0\]: Input should be 'add",
        ),
        ({"evolve": {"from": "x"}}, r"generation\.evolve"),
        ({"evolve": {"parents": "nowhere-at-all"}}, r"generation\.evolve\.parents: .* accepted rows, found none"),
    ],
)
def test_what_cannot_be_is_a_configuration_error(tmp_path: Path, generation: dict[str, Any], message: str) -> None:
    run_with(tmp_path / "parents", row(1))
    with pytest.raises(ConfigError, match=message):
        plan(tmp_path, **generation)


def test_a_run_does_not_evolve_itself(tmp_path: Path) -> None:
    run_with(tmp_path / "out", row(1))
    with pytest.raises(ConfigError, match="expected another folder than output_dir"):
        plan(tmp_path, evolve={"parents": str(tmp_path / "out")})
