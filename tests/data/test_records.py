"""The row types and the Arrow schemas name the same columns, and a sample survives the way through a row."""

from typing import Any, get_type_hints

import pyarrow as pa
import pytest
from example_rows import example_row

from skillmill.data import records, schemas
from skillmill.data.records import Sample, sample_of

ROW_TYPES = [
    (records.SampleRow, schemas.SAMPLE_SCHEMA),
    (records.GradingRow, schemas.GRADING_SCHEMA),
    (records.PreferenceRow, schemas.PREFERENCE_SCHEMA),
    (records.PairRow, schemas.PAIR_SCHEMA),
    (records.StressAnswerRow, schemas.STRESS_ANSWER_SCHEMA),
    (records.StressRow, schemas.STRESS_SCHEMA),
    (records.SelfRow, schemas.SELF_SCHEMA),
]


@pytest.mark.parametrize(("row_type", "schema"), ROW_TYPES)
def test_a_row_type_and_its_schema_have_the_same_columns(row_type: type, schema: pa.Schema) -> None:
    assert list(get_type_hints(row_type)) == schema.names


def test_a_grade_and_its_struct_have_the_same_fields() -> None:
    struct: Any = schemas.GRADE
    assert list(get_type_hints(records.Grade)) == [field.name for field in struct]
    assert list(get_type_hints(records.SkillGrade)) == [field.name for field in struct.field("skills").type.value_type]


def test_a_sample_comes_back_from_its_stored_row() -> None:
    sample = Sample(
        "Why?",
        "Because.",
        generation=2,
        draft="Since.",
        critique="Vague.",
        finish_reason="stop",
        prompt_tokens=3,
        completion_tokens=4,
        reasons=("refusal", "custom:rude"),
        signals={"words": 1.0, "overlap": 0.5},
        grade={
            "skills": [{"skill": "irony", "point": 1.0, "evidence": None}],
            "on_topic": 1.0,
            "makes_sense": 0.0,
            "within_limit": 1.0,
            "total": 3.0,
        },
        grader="g",
    )
    row = example_row(sample, index=7)
    assert set(row) == set(schemas.SAMPLE_SCHEMA.names)
    [stored] = pa.Table.from_pylist([row], schema=schemas.SAMPLE_SCHEMA).to_pylist()
    assert sample_of(stored) == sample
    assert (stored["verdict"], stored["reasons"]) == ("rejected", ["refusal", "custom:rude"])
