"""Engines and servers that run until this process ends and are shared by all sections with the same settings."""

import atexit
import logging
from collections.abc import Callable
from dataclasses import replace
from threading import Lock
from typing import Any, Protocol, TypeVar, cast

import orjson

from skillmill.data.reasons import BAD_REQUEST, TRANSPORT
from skillmill.teachers.base import Reply, Request, RequestFailed, TransientError
from skillmill.teachers.engines.system_role import has_system_role, refuses_system_role, without_system_role

log = logging.getLogger(__name__)


class Closable(Protocol):
    """A resource with a `close` method."""

    def close(self) -> None:
        """Stop it. A second call does nothing."""
        ...


class SharedEngine(Protocol):
    """An in-process engine. Its messages name the keys of `section`, the part of the configuration that uses it."""

    name: str

    async def chat(self, request: Request, section: str = "teacher") -> Reply:
        """Answer one request as `Teacher.chat` does."""
        ...


class SectionTeacher:
    """A shared engine as the teacher of one section of the configuration.

    If the model's chat template refuses a system message, its text is moved into the user's turn from then on.
    """

    def __init__(self, engine: SharedEngine, section: str) -> None:
        self.name = engine.name
        self._engine, self._section, self._system_in_user = engine, section, False
        self._system_answered = False

    async def chat(self, request: Request) -> Reply:
        """Answer one request; messages name the keys of the section."""
        if not has_system_role(request.messages):
            return await self._engine.chat(request, self._section)
        moved = replace(request, messages=without_system_role(request.messages))
        if self._system_in_user:
            return await self._engine.chat(moved, self._section)
        try:
            reply = await self._engine.chat(request, self._section)
        except (RequestFailed, TransientError) as failure:
            refused = failure.reason in (BAD_REQUEST, TRANSPORT) and refuses_system_role(failure.detail)
            if self._system_answered or not refused:
                raise
        else:
            self._system_answered = True
            return reply
        reply = await self._engine.chat(moved, self._section)
        if not self._system_in_user:
            self._system_in_user = True
            log.warning("teacher: %s has no system role: the system message is sent in the user's turn", self.name)
        return reply


Resource = TypeVar("Resource", bound=Closable)

_running: dict[bytes, Closable] = {}
_starting = Lock()


def shared(start: Callable[[], Resource], *settings: Any) -> Resource:
    """Return the resource with these settings (JSON values); `start()` creates it on the first call."""
    key = orjson.dumps(settings, option=orjson.OPT_SORT_KEYS)
    with _starting:
        if key not in _running:
            _running[key] = start()
        return cast(Resource, _running[key])


def discard(resource: Closable) -> None:
    """Close a resource and forget it, so that the next call of `shared` starts it again."""
    for key, running in list(_running.items()):
        if running is resource:
            del _running[key]
    resource.close()


@atexit.register
def close_engines() -> None:
    """Close all shared engines and servers and so free their memory, for example for training."""
    while _running:
        _running.popitem()[1].close()
