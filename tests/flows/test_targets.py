"""Balance, difficulty, length and language in a configuration, a plan and its rows."""

from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skillmill.data.errors import ConfigError
from skillmill.data.records import Sample, SampleRow, sample_of, sample_row
from skillmill.data.schemas import SAMPLE_SCHEMA
from skillmill.data.store import ShardStore, sample_store
from skillmill.flows.config import parse_config
from skillmill.flows.plan import Plan, changed_keys, make_plan
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill, Taxonomy, Topic

TAXONOMY = Taxonomy(
    skills=tuple(Skill(name=f"skill {i}") for i in range(9)),
    topics=(Topic(name="chess"),),
    query_types=(QueryType(name="how-to"), QueryType(name="why")),
)
TARGETS = {"difficulty": {"easy": 0.5, "hard": 0.5}, "length": {"short": 1.0}, "language": {"German": 1.0}}
NEW = ("difficulty", "length", "language")


def plan(**generation: Any) -> Plan:
    return make_plan(parse_config({"generation": {"samples": 5, **generation}}), TAXONOMY)


@pytest.mark.parametrize("kind", ["instruct_skill_mix", "skill_mix"])
def test_a_plan_without_targets_knows_nothing_of_them(kind: str) -> None:
    plain = plan(kind=kind, balance=False, difficulty=None, length=None, language=None)
    assert plain.fingerprint == plan(kind=kind).fingerprint
    assert not [key for key in plain.parts if key.rpartition(".")[2] in (*NEW, "balance")]


@pytest.mark.parametrize("kind", ["instruct_skill_mix", "skill_mix"])
@pytest.mark.parametrize("option", [{"balance": True}, *({name: shares} for name, shares in TARGETS.items())])
def test_each_is_in_the_fingerprint_and_named_when_it_comes_or_goes(kind: str, option: dict[str, Any]) -> None:
    plain, changed = plan(kind=kind), plan(kind=kind, **option)
    assert plain.fingerprint != changed.fingerprint
    (key,) = option
    prompts = [] if key == "balance" else ["prompts"]
    assert set(changed_keys(plain.parts, changed)) == {f"generation.{key}", *prompts}
    assert set(changed_keys(changed.parts, plain)) == {f"generation.{key}", *prompts}


def test_targets_are_in_the_cells_and_leave_their_skills_alone() -> None:
    cells = list(islice(plan(**TARGETS).combinations.cells(), 40))
    assert [cell.key for cell in cells] == [cell.key for cell in islice(plan().combinations.cells(), 40)]
    assert {cell.difficulty for cell in cells} == {"easy", "hard"}
    assert {(cell.length, cell.language) for cell in cells} == {("short", "German")}
    assert [c.query_type for c in islice(plan(balance=True).combinations.cells(), 2)] != [cells[0].query_type] * 2


@pytest.mark.parametrize(
    ("generation", "message"),
    [
        ({"difficulty": {"easy": 0.5}}, r"generation\.difficulty: shares must sum to 1, these sum to 0\.5"),
        ({"length": {"tiny": 1.0}}, r"generation\.length\.tiny: Input should be 'short', 'medium' or 'long'"),
        ({"language": "Deutsch"}, r"generation\.language: expected Afrikaans, .* Welsh, got 'Deutsch'"),
        ({"language": {}}, r"generation\.language: shares must sum to 1"),
        ({"balance": "query_types"}, r"generation\.balance: Input should be a valid boolean"),
    ],
)
def test_what_cannot_be_is_a_configuration_error(generation: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_config({"generation": generation})


def test_an_answer_must_have_room_for_its_length() -> None:
    few = {"teacher": {"sampling": {"max_tokens": 256}}}
    with pytest.raises(ConfigError, match=r"generation\.length: a long answer has up to 400 words, expected .* 800"):
        parse_config({**few, "generation": {"length": {"short": 0.5, "long": 0.5}}})
    assert parse_config({**few, "generation": {"length": "short"}}).generation.length == {"short": 1.0}
    assert parse_config({**few, "generation": {"length": "long", "kind": "skill_mix"}}).generation.targets


def row(**columns: Any) -> SampleRow:
    cell: dict[str, Any] = {
        "plan": "a" * 16,
        "index": 3,
        "cell": "b" * 16,
        "kind": "skill_mix",
        "k": 2,
        "skills": ["a"],
        "split": "train",
    }
    return sample_row(Sample("Say it.", "Said."), **cell, **columns)


def test_shards_of_schema_version_1_are_read_as_rows_that_aim_at_nothing(tmp_path: Path) -> None:
    old_schema = pa.schema([field for field in SAMPLE_SCHEMA if field.name not in NEW])
    old = ShardStore(tmp_path, "shards", old_schema)
    old.recover()
    shard = old.commit("a" * 16, 0, 4, [row()], 1, 1)
    assert not set(NEW) & set(pq.read_schema(tmp_path / shard.file).names)
    new = sample_store(tmp_path)
    (read,) = new.rows(new.shards[0]).to_pylist()
    assert [read[name] for name in NEW] == [None, None, None]
    assert sample_of(read) == Sample("Say it.", "Said.")
    assert new.rows(new.shards[0], ["id", *NEW]).to_pylist() == [{"id": read["id"], **dict.fromkeys(NEW)}]


def test_targets_stand_in_the_rows(tmp_path: Path) -> None:
    store = sample_store(tmp_path)
    store.recover()
    said = {"difficulty": "hard", "length": "short", "language": "German"}
    shard = store.commit("a" * 16, 0, 4, [row(**said)], 1, 1)
    assert store.rows(shard, list(NEW)).to_pylist() == [said]
