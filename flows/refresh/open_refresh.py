"""The refresh that is under way: `refresh.json` in `output_dir`, from its start until its version is recorded."""

from dataclasses import asdict, dataclass

import orjson

from skillmill.data.errors import StoreError
from skillmill.data.files import store_errors, write_atomic
from skillmill.flows.config import Config

OPEN_REFRESH = "refresh.json"


@dataclass(frozen=True, slots=True)
class OpenRefresh:
    """A refresh that was begun.

    `version`: the name of its version. `scheduled_time`: ISO 8601 with UTC offset, None if none was given. `plan`: the
    plan that it generates. `cells`, `accepted`: the cells of that plan, and those with an accepted row, that were
    stored when the refresh began; None before that is known. `tokens`, `money`, `hours`: what the directory had cost
    then.
    """

    version: str
    scheduled_time: str | None
    plan: str
    cells: int | None
    accepted: int | None
    tokens: int
    money: float
    hours: float


def read_open_refresh(config: Config) -> OpenRefresh | None:
    """Return the open refresh, None if there is none. Raises `StoreError` if its file is damaged."""
    path = config.output / OPEN_REFRESH
    if not path.exists():
        return None
    with store_errors(f"cannot read {path}"):
        content = path.read_bytes()
    try:
        return OpenRefresh(**orjson.loads(content))
    except (orjson.JSONDecodeError, TypeError):
        raise StoreError(f"{path} is not an open refresh: delete it, the rows are stored elsewhere") from None


def write_open_refresh(config: Config, opened: OpenRefresh) -> None:
    """Store the open refresh. Raises `StoreError`."""
    write_atomic(config.output / OPEN_REFRESH, orjson.dumps(asdict(opened)))


def close_refresh(config: Config) -> None:
    """Forget the open refresh, if there is one. Raises `StoreError`."""
    with store_errors(f"cannot delete {config.output / OPEN_REFRESH}"):
        (config.output / OPEN_REFRESH).unlink(missing_ok=True)
