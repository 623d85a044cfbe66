"""The lines of a batch's files: one JSON object for each request and for each answer.

The key of a request, as in the reply journal, is its `custom_id`. Answers come in any order, and in two files: most
providers put failed requests into a file of their own.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from skillmill.data.errors import StoreError
from skillmill.data.files import store_errors
from skillmill.teachers.engines.chat_api.tolerant_json import read_json

ENDPOINT = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider says to one request: an HTTP status and a body. Status 0: the request was not executed."""

    status: int
    body: Any


@dataclass(frozen=True, slots=True)
class Place:
    """Where the answer to a request is: `size` bytes from `start` on in a file. `good`: its status is 200."""

    path: Path
    start: int
    size: int
    good: bool


def request_line(key: bytes, body: bytes) -> bytes:
    """Return the line of a request, given the JSON of its body."""
    head = orjson.dumps({"custom_id": key.hex(), "method": "POST", "url": ENDPOINT})
    return head[:-1] + b',"body":' + body + b"}\n"


def read_requests(path: Path) -> Iterator[tuple[bytes, Any]]:
    """Yield key and body of each request in a file. Raises `StoreError` if the file cannot be read."""
    with store_errors(f"cannot read {path}"), path.open("rb") as file:
        for line in file:
            try:
                request = orjson.loads(line)
                yield bytes.fromhex(request["custom_id"]), request["body"]
            except (ValueError, KeyError, TypeError):
                raise StoreError(f"{path} is damaged: delete it and the other files of that name") from None


def read_keys(path: Path) -> list[bytes]:
    """Return the keys of the requests in a file, in order. Raises `StoreError` if the file cannot be read."""
    return [key for key, _ in read_requests(path)]


def find_answers(*paths: Path) -> dict[bytes, Place]:
    """Return where the answers are, by the keys of their requests.

    Of two answers to a request the last one counts. Lines that cannot be read, and files that are not there, count as
    missing.
    """
    places: dict[bytes, Place] = {}
    for path in paths:
        if not path.exists():
            continue
        start = 0
        with store_errors(f"cannot read {path}"), path.open("rb") as file:
            for line in file:
                if (read := _read_line(line)) is not None:
                    places[read[0]] = Place(path, start, len(line), read[1].status == 200)
                start += len(line)
    return places


def evenly_mixed(keys: Iterable[bytes], places: Mapping[bytes, Place]) -> list[bytes]:
    """Return the keys so that requests with a good answer and the others alternate evenly, a good one first.

    A batch in which one request in a hundred failed must not look like a server that refuses everything.
    """
    good, bad = list[bytes](), list[bytes]()
    for key in sorted(keys):
        (good if key in places and places[key].good else bad).append(key)
    mixed = [(position / len(good), key) for position, key in enumerate(good)]
    mixed += [((position + 0.5) / len(bad), key) for position, key in enumerate(bad)]
    return [key for _, key in sorted(mixed)]


def read_answer(place: Place) -> Answer:
    """Return the answer at a place that `find_answers` found. Raises `StoreError` if the file cannot be read."""
    with store_errors(f"cannot read {place.path}"), place.path.open("rb") as file:
        file.seek(place.start)
        read = _read_line(file.read(place.size))
    return read[1] if read else Answer(0, None)


def _read_line(line: bytes) -> tuple[bytes, Answer] | None:
    """Return key and answer of a line, None if it has none that can be read."""
    try:
        content = read_json(line)
        key = bytes.fromhex(content["custom_id"])
        response = content.get("response")
        if isinstance(response, dict) and (status := int(response["status_code"])):
            return key, Answer(status, response.get("body"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return key, Answer(0, content.get("error"))
