"""Held-out cells: random, the same for each student, and never seen in training."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skillmill.data.errors import ConfigError
from skillmill.data.schemas import SAMPLE_SCHEMA
from skillmill.skill_taxonomy.taxonomy import Skill, Split, Taxonomy, Topic
from skillmill.train.config import TrainConfig
from skillmill.train.evaluation.config import EvaluateConfig
from skillmill.train.evaluation.held_out import HeldOutCell, held_out_cells
from skillmill.train.evaluation.trained_on import TrainedOn, trained_on, training_sets

SEED = 7


def taxonomy(skills: int = 6, held_skills: int = 3, topics: int = 4, held_topics: int = 2) -> Taxonomy:
    def split(place: int, trained: int) -> Split:
        return "train" if place < trained else "test"

    return Taxonomy(
        skills=tuple(Skill(name=f"skill {i}", split=split(i, skills)) for i in range(skills + held_skills)),
        topics=tuple(Topic(name=f"topic {i}", split=split(i, topics)) for i in range(topics + held_topics)),
    )


def row(skills: Iterable[str], topic: str | None) -> dict[str, object]:
    answer = [{"role": "assistant", "content": "The river is wide. It flows."}]
    return {"skills": list(skills), "topic": topic, "completion": answer}


def seen(*rows: dict[str, object]) -> TrainedOn:
    found = TrainedOn()
    found.add_rows(pa.Table.from_pylist(list(rows), schema=pa.schema([SAMPLE_SCHEMA.field(name) for name in rows[0]])))
    return found


def names(cell: HeldOutCell) -> tuple[frozenset[str], str]:
    assert cell.cell.topic is not None
    return frozenset(skill.name for skill in cell.cell.skills), cell.cell.topic.name


def drawn(settings: EvaluateConfig, trained: TrainedOn | None = None, **sizes: int) -> list[HeldOutCell]:
    return held_out_cells(settings, taxonomy(**sizes), trained or TrainedOn(), SEED)


def test_each_split_has_its_own_skills_and_topics() -> None:
    cells = drawn(EvaluateConfig(k=(1, 2), samples=5))
    assert {(each.split, each.cell.k) for each in cells} == {
        (split, k) for split in ("combinations", "skills", "topics", "skills_and_topics") for k in (1, 2)
    }
    assert len(cells) == 4 * 2 * 5
    for each in cells:
        skills, topic = names(each)
        held_skills = {int(name.split()[1]) >= 6 for name in skills}
        assert held_skills == {each.split in ("skills", "skills_and_topics")}
        assert (int(topic.split()[1]) >= 4) == (each.split in ("topics", "skills_and_topics"))
    assert len({(each.split, names(each)) for each in cells}) == len(cells)


def test_the_seed_alone_decides_the_cells_and_a_smaller_sample_is_a_prefix() -> None:
    many = drawn(EvaluateConfig(k=(2,), samples=9, splits=("combinations",)))
    assert drawn(EvaluateConfig(k=(2,), samples=4, splits=("combinations",))) == many[:4]
    assert drawn(EvaluateConfig(k=(3, 2), samples=9, splits=("topics", "combinations")))[-9:] == many
    others = held_out_cells(EvaluateConfig(k=(2,), samples=9, splits=("combinations",)), taxonomy(), TrainedOn(), 8)
    assert others != many


def test_cells_of_the_training_are_skipped_whatever_the_order_and_case_of_their_names() -> None:
    settings = EvaluateConfig(k=(2,), samples=60, splits=("combinations",))
    every = drawn(settings)
    assert len(every) == 60  # C(6, 2) x 4
    first = names(every[0])
    trained = seen(row([name.upper() for name in sorted(first[0], reverse=True)], first[1].upper()))
    assert [names(each) for each in drawn(settings, trained)] == [names(each) for each in every[1:]]


def test_a_row_with_a_query_type_has_shown_its_skills_with_every_topic() -> None:
    settings = EvaluateConfig(k=(1, 2), samples=100, splits=("combinations",))
    cells = drawn(settings, seen(row(["skill 0", "skill 1"], None), row(["skill 2"], None)))
    found = {names(each)[0] for each in cells}
    assert frozenset({"skill 0", "skill 1"}) not in found
    assert frozenset({"skill 2"}) in found  # one skill is no combination
    assert len(cells) == 6 * 4 + (15 - 1) * 4


def test_a_held_out_skill_or_topic_in_the_training_is_an_error() -> None:
    leaked = seen(row(["Skill 7", "skill 0"], "topic 0"), row(["skill 0"], "topic 5"))
    with pytest.raises(ConfigError, match="held-out skill 'skill 7' is in 1 of the rows"):
        drawn(EvaluateConfig(k=(1,)), leaked)
    with pytest.raises(ConfigError, match="held-out topic 'topic 5' is in 1 of the rows"):
        drawn(EvaluateConfig(k=(1,), splits=("topics",)), leaked)
    assert drawn(EvaluateConfig(k=(1,), splits=("combinations",)), leaked)


def test_an_alias_leaks_too() -> None:
    skills = (Skill(name="a"), Skill(name="b", aliases=("bee",), split="test"))
    with pytest.raises(ConfigError, match="held-out skill 'b'"):
        held_out_cells(
            EvaluateConfig(k=(1,)), Taxonomy(skills=skills, topics=(Topic(name="t"),)), seen(row(["Bee"], "t")), SEED
        )


@pytest.mark.parametrize(
    ("settings", "sizes", "said"),
    [
        ({"k": (12,)}, {}, "evaluate.k: 12 is larger than the number of skills, 6"),
        ({"splits": ("skills",)}, {"held_skills": 0}, "evaluate.splits: skills: the taxonomy has no skills held out"),
        ({"splits": ("topics",)}, {"held_topics": 0}, "evaluate.splits: topics: the taxonomy has no topics held out"),
        ({"held_out": "validation", "splits": ("skills",)}, {}, "no skills held out for validation"),
        ({}, {"topics": 0, "held_topics": 0}, "has no topics, which Skill-Mix needs"),
    ],
)
def test_what_cannot_be_drawn_is_said(settings: dict[str, object], sizes: dict[str, int], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        held_out_cells(EvaluateConfig.model_validate(settings), taxonomy(**sizes), TrainedOn(), SEED)


def test_nothing_left_that_training_has_not_seen_is_an_error() -> None:
    every = seen(*(row([f"skill {i}"], f"topic {j}") for i in range(6) for j in range(4)))
    with pytest.raises(ConfigError, match="training has seen every cell with k = 1 of the split combinations"):
        drawn(EvaluateConfig(k=(1,), splits=("combinations",)), every)


def test_without_held_out_entries_the_combinations_are_left() -> None:
    cells = drawn(EvaluateConfig(k=(1, 2), samples=3), held_skills=0, held_topics=0)
    assert {each.split for each in cells} == {"combinations"}


def test_rows_for_validation_are_no_training_and_foreign_rows_say_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "export" / "sft"
    folder.mkdir(parents=True)
    schema = pa.schema([SAMPLE_SCHEMA.field(name) for name in ("skills", "topic", "completion")])
    for split in ("train", "validation"):
        table = pa.Table.from_pylist([row([f"{split} skill"], "a topic")], schema=schema)
        pq.write_table(table, folder / f"{split}-00000.parquet")
    pq.write_table(pa.table({"prompt": ["a"], "completion": ["b"]}), folder / "train-00001.parquet")
    tried = pa.Table.from_pylist([{"skills": ["tried skill"], "topic": "a topic"}])
    found = trained_on([tmp_path / "export"], [tried])
    assert (found.rows, found.pieces) == (1, 2)
    assert found.rows_with_skill(["TRAIN SKILL"]) == 1
    assert not found.rows_with_skill(["validation skill", "tried skill"])
    assert trained_on([tmp_path / "nothing"]).rows == 0
    assert trained_on([folder / "train-00000.parquet"]).rows == 1


def test_the_sets_of_the_trainings_are_looked_through() -> None:
    export = Path("out/export")
    assert training_sets(None, export) == [export]
    mixed = {"sft": {"mixture": [{"data": "export"}, {"data": "other/export"}]}, "dpo": {}}
    assert training_sets(TrainConfig.model_validate(mixed), export) == [export, Path("other/export")]
    assert training_sets(TrainConfig.model_validate({"sft": {"data": "rows.parquet"}}), export) == [
        Path("rows.parquet")
    ]


def test_cells_whose_rows_were_deleted_count_as_seen() -> None:
    settings = EvaluateConfig(k=(2,), samples=60, splits=("combinations",))
    every = drawn(settings)
    assert drawn(settings, trained_on([], freed=[int(every[0].cell.key, 16)])) == every[1:]
