"""Calls that are tried again while the Hub has a temporary failure."""

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from skillmill.data.hub.errors import HubError, TemporaryHubError

log = logging.getLogger(__name__)

TRIES = 6
FIRST_PAUSE_S = 1.0
"""The pause before try n+1 is jittered below this, times 2 to the power of n."""
LONGEST_WAIT_S = 600.0
"""A pause that the Hub asks for may not be longer."""

T = TypeVar("T")


def with_retries(attempt: Callable[[], T], first_pause_s: float = FIRST_PAUSE_S) -> T:
    """Return what `attempt` returns; call it again after a `TemporaryHubError`, `TRIES` times in all.

    `attempt` must start from what the Hub holds, so that a call whose reply was lost is not repeated. Raises `HubError`
    if the last try failed, or if the Hub asks for a longer pause than `LONGEST_WAIT_S`.
    """
    for number in range(1, TRIES):
        try:
            return attempt()
        except TemporaryHubError as error:
            asked = error.retry_after_s
            if asked is not None and asked > LONGEST_WAIT_S:
                raise HubError(f"{error}; it asks to wait for {asked:.0f} s, publish again then") from None
            pause = random.uniform(0.5, 1) * first_pause_s * 2**number if asked is None else asked  # noqa: S311
            log.info(f"publish: {error}; next try in {pause:.0f} s")
            time.sleep(pause)
    try:
        return attempt()
    except TemporaryHubError as error:
        raise HubError(f"{error}, {TRIES} times; publish again later, what was uploaded is not sent again") from None
