"""Decoding parameters that are derived from others."""

from skillmill.teachers.base import Sampling


def test_a_copy_with_other_values_sends_these() -> None:
    first = Sampling.model_validate({"temperature": 0.8, "top_k": 40})
    assert first.parameters == first.model_dump()
    second = first.model_copy(update={"temperature": 0.2, "max_tokens": 50, "min_p": 0.1})
    assert second.parameters == second.model_dump()
    assert (second.parameters["max_tokens"], first.parameters["max_tokens"]) == (50, 1024)
