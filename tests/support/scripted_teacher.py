"""A teacher in this process that answers by looking at the request."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import orjson

from skillmill.teachers.base import Reply, Request


@dataclass
class Scripted:
    """Answers each question by `answer(question, seed)`: an object, raw text, or an exception to raise."""

    answer: Callable[[str, int], object]
    name: str = "scripted"
    asked: list[Request] = field(default_factory=list)

    async def chat(self, request: Request) -> Reply:
        self.asked.append(request)
        await asyncio.sleep(random.random() / 1000)  # replies come in any order
        answer = self.answer(request.messages[-1]["content"], request.seed)
        if isinstance(answer, Exception):
            raise answer
        return Reply(answer if isinstance(answer, str) else orjson.dumps(answer).decode(), "stop", 1, 1)
