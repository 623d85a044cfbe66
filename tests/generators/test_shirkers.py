"""Deliberate shirkers."""

import asyncio
from collections.abc import Callable

import pytest

from skillmill.data.reasons import Reason
from skillmill.generators.shirkers import brevity, junk
from skillmill.teachers.base import Reply, Request, Sampling, TurnFailed


class Writer:
    name = "writer"

    async def chat(self, request: Request) -> Reply:
        assert request.messages[-1] == {"role": "user", "content": "How do I bake bread?"}
        return Reply(f" {request.stage} \0", "stop", 10, 5)


class Broken:
    name = "broken"

    async def chat(self, request: Request) -> Reply:
        raise TurnFailed(Reason.TRANSPORT)


@pytest.mark.parametrize("shirk", [brevity, junk])
def test_a_shirker_answers_the_same_prompt(shirk: Callable) -> None:
    text, reply = asyncio.run(shirk("How do I bake bread?", Writer(), Sampling(), 1))
    assert text == shirk.__name__
    assert reply.completion_tokens == 5


def test_a_turn_that_fails_is_raised() -> None:
    with pytest.raises(TurnFailed):
        asyncio.run(junk("How do I bake bread?", Broken(), Sampling(), 1))
