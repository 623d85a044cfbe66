"""What a provider says about a batch as a whole."""

from typing import Any

import pytest

from skillmill.teachers.engines.batch_api.status import BatchFault, fault_of, has_no_room, read_status


def batch(**fields: Any) -> dict[str, Any]:
    return {"id": "batch_1", "object": "batch", "status": "in_progress", **fields}


def test_a_batch_object_with_everything() -> None:
    status = read_status(
        batch(
            status="completed",
            input_file_id="file-1",
            output_file_id="file-2",
            error_file_id=None,
            created_at=1_700_000_000,
            metadata={"skillmill_batch": "token"},
            request_counts={"total": 3, "completed": 2, "failed": 1},
        )
    )
    assert (status.ended, status.file_id, status.answers, status.errors) == (True, "file-1", "file-2", "")
    assert (status.token, status.created, status.total, status.completed, status.failed) == (
        *("token", 1_700_000_000.0),
        *(3, 2, 1),
    )


@pytest.mark.parametrize(
    ("state", "ended"),
    [
        ("validating", False),
        ("in_progress", False),
        ("finalizing", False),
        ("cancelling", False),
        ("something new", False),
        ("COMPLETED", True),
        ("canceled", True),
        ("expired", True),
        ("failed", True),
    ],
)
def test_states(state: str, ended: bool) -> None:
    assert read_status(batch(status=state, metadata=None, request_counts=None, errors=None)).ended == ended


@pytest.mark.parametrize("body", [{}, [], "x", {"id": "batch_1"}, {"error": {"message": "no"}}])
def test_what_is_no_batch(body: Any) -> None:
    with pytest.raises(ValueError, match="batch object"):
        read_status(body)


def failed(*faults: tuple[str, int | None]) -> dict[str, Any]:
    data = [{"code": code, "message": f"about {code}", "line": line} for code, line in faults]
    return batch(status="failed", errors={"object": "list", "data": data})


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (failed(("token_limit_exceeded", None)), "no room"),
        (failed(("invalid_json_line", 2)), "lines"),
        (failed(*(("invalid_json_line", line) for line in range(1, 6))), "all"),
        (failed(("invalid_json_line", 2), ("model_not_found", None)), "all"),
        (failed(("billing_hard_limit_reached", None)), "all"),
        (batch(status="failed", errors=None), "all"),
    ],
)
def test_what_made_a_batch_fail(body: dict[str, Any], fault: str) -> None:
    assert fault_of(read_status(body), requests=10) == fault


def test_faults_are_said_once_in_one_line() -> None:
    body = batch(status="failed", errors={"data": [{"code": "c", "message": "two\nlines"}] * 2 + ["x"]})
    assert read_status(body).faults[0] == BatchFault("c", "two lines", None)
    assert read_status(body).words == "two lines (c)"


@pytest.mark.parametrize(
    ("words", "full"),
    [
        ("Enqueued token limit reached for gpt-4o-mini in organization org-1. Limit: 2,000,000 enqueued tokens.", True),
        ("Batch rate limit exceeded (batch_limit_exceeded)", True),
        ("Rate limit reached for requests", False),
        ("billing_hard_limit_reached", False),
    ],
)
def test_words_of_a_provider_without_room(words: str, full: bool) -> None:
    assert has_no_room(words) == full
