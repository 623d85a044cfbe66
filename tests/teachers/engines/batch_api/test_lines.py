"""The lines of a batch's files."""

from pathlib import Path

import orjson
from hypothesis import given
from hypothesis import strategies as st

from skillmill.teachers.engines.batch_api.lines import (
    Answer,
    Place,
    evenly_mixed,
    find_answers,
    read_answer,
    read_requests,
    request_line,
)

ONE, OTHER = b"\x01" * 16, b"\x02" * 16


def test_a_request_is_one_line_with_its_key(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    body = {"model": "m", "messages": [{"role": "user", "content": "two\nlines"}]}
    path.write_bytes(request_line(ONE, orjson.dumps(body)) * 2)
    assert list(read_requests(path)) == [(ONE, body)] * 2
    assert orjson.loads(path.read_bytes().splitlines()[0]) == {
        "custom_id": ONE.hex(),
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": body,
    }


def test_answers_are_found_in_both_files_and_damaged_lines_are_missing(tmp_path: Path) -> None:
    good, bad = tmp_path / "output.jsonl", tmp_path / "errors.jsonl"
    response = {"status_code": 200, "request_id": "r", "body": {"choices": []}}
    expired = {"code": "batch_expired", "message": "too late"}
    good.write_bytes(
        b'{"custom_id": "x"}\nno JSON\n{}\n'
        + orjson.dumps({"id": "r", "custom_id": ONE.hex(), "response": response, "error": None})
    )
    bad.write_bytes(orjson.dumps({"custom_id": OTHER.hex(), "response": None, "error": expired}) + b"\n")
    places = find_answers(good, bad, tmp_path / "not there")
    assert [(key, place.good) for key, place in places.items()] == [(ONE, True), (OTHER, False)]
    assert read_answer(places[ONE]) == Answer(200, {"choices": []})
    assert read_answer(places[OTHER]) == Answer(0, expired)


@given(st.integers(1, 300), st.integers(0, 300))
def test_bad_answers_are_spread_evenly(good: int, bad: int) -> None:
    keys = [number.to_bytes(16) for number in range(good + bad)]
    places = {key: Place(Path(), 0, 0, number < good) for number, key in enumerate(keys)}
    mixed = evenly_mixed(keys, places)
    assert sorted(mixed) == keys
    assert places[mixed[0]].good
    so_far = 0
    for number, key in enumerate(mixed, start=1):
        so_far += not places[key].good
        assert so_far <= number * bad / (good + bad) + 1


def test_requests_without_an_answer_are_spread_as_bad_ones() -> None:
    keys = [number.to_bytes(16) for number in range(4)]
    mixed = evenly_mixed(keys, {key: Place(Path(), 0, 0, True) for key in keys[:2]})
    assert [key in keys[:2] for key in mixed] == [True, False, True, False]
