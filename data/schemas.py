"""The Arrow schemas of the rows in `records.py`.

They are fixed here, because a schema inferred from the first batch of rows has the wrong type for every column that is
null in that batch.
"""

import pyarrow as pa

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))

GRADE = pa.struct(
    [
        ("skills", pa.list_(pa.struct([("skill", pa.string()), ("point", pa.float64()), ("evidence", pa.string())]))),
        ("on_topic", pa.float64()),
        ("makes_sense", pa.float64()),
        ("within_limit", pa.float64()),
        ("total", pa.float64()),
    ]
)

SAMPLE_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("plan", pa.string()),
        ("index", pa.int64()),
        ("cell", pa.string()),
        ("generation", pa.int32()),
        ("kind", pa.string()),
        ("k", pa.int32()),
        ("skills", pa.list_(pa.string())),
        ("topic", pa.string()),
        ("query_type", pa.string()),
        ("difficulty", pa.string()),
        ("length", pa.string()),
        ("language", pa.string()),
        ("parent", pa.string()),
        ("operator", pa.string()),
        ("prompt", MESSAGES),
        ("completion", MESSAGES),
        ("verdict", pa.string()),
        ("reasons", pa.list_(pa.string())),
        ("signals", pa.map_(pa.string(), pa.float64())),
        ("grade", GRADE),
        ("draft", pa.string()),
        ("kept", pa.string()),
        ("critique", pa.string()),
        ("explanation", pa.string()),
        ("finish_reason", pa.string()),
        ("draft_finish_reason", pa.string()),
        ("thinking", pa.string()),
        ("draft_thinking", pa.string()),
        ("teacher", pa.string()),
        ("grader", pa.string()),
        ("prompt_tokens", pa.int64()),
        ("completion_tokens", pa.int64()),
        ("prompts", pa.string()),
        ("seed", pa.int64()),
        ("split", pa.string()),
        ("schema_version", pa.int32()),
    ]
)

GRADING_SCHEMA = pa.schema(
    [("id", pa.string()), ("run", pa.int32()), ("grader", pa.string()), ("grade", GRADE), ("raw", pa.string())]
)

PREFERENCE_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("prompt", MESSAGES),
        ("chosen", MESSAGES),
        ("rejected", MESSAGES),
        ("chosen_source", pa.string()),
        ("rejected_source", pa.string()),
        ("margin", pa.float64()),
    ]
)

PAIR_SCHEMA = pa.schema(
    [
        *PREFERENCE_SCHEMA,
        ("row", pa.string()),
        ("chosen_words", pa.int32()),
        ("rejected_words", pa.int32()),
        ("reason", pa.string()),
    ]
)

STRESS_ANSWER_SCHEMA = pa.schema(
    [("row", pa.string()), ("index", pa.int64()), ("source", pa.string()), ("text", pa.string())]
)

STORED = {"shards": SAMPLE_SCHEMA, "pairs": PAIR_SCHEMA, "grades": GRADING_SCHEMA, "stress": STRESS_ANSWER_SCHEMA}
"""The schema of each folder of shards (`store.MANIFESTS`)."""

STRESS_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("k", pa.int32()),
        ("skills", pa.list_(pa.string())),
        ("topic", pa.string()),
        ("query_type", pa.string()),
        ("prompt", MESSAGES),
        ("completion", MESSAGES),
        ("replaced_by", pa.string()),
    ]
)

SELF_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("instruction", pa.string()),
        ("answer", pa.string()),
        ("feedback", pa.string()),
        ("refined_answer", pa.string()),
    ]
)
