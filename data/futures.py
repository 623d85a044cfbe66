"""Futures that several places settle."""

import asyncio
from typing import Any


def settle(future: "asyncio.Future[Any]", result: object) -> None:
    """Give a future its result, or raise the result there if it is an exception; a future that is done stays so.

    A future is done before if whoever waited for it was cancelled.
    """
    if future.done():
        return
    if isinstance(result, BaseException):
        future.set_exception(result)
    else:
        future.set_result(result)
