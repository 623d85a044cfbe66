"""What a server should not send: broken Unicode, NaN, errors in odd shapes, and the lack of a system role."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from skillmill.data.reasons import BAD_REQUEST
from skillmill.data.records import Message
from skillmill.teachers.base import Reply, Request, RequestFailed, Sampling, TransientError
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.engines.chat_api.error_message import ErrorMessage, read_error_message
from skillmill.teachers.engines.chat_api.http_failures import http_failure
from skillmill.teachers.engines.chat_api.tolerant_json import read_json
from skillmill.teachers.engines.shared import SectionTeacher
from skillmill.teachers.engines.system_role import refuses_system_role, without_system_role
from skillmill.teachers.middleware.accounting import Usage
from tests.teachers.engines.test_openai import ask_all, request


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (rb'{"a": "\ud83d"}', {"a": "\ud83d"}),
        (rb'{"a": "\ude00\ud83d"}', {"a": "\ude00\ud83d"}),
        (rb'{"a": ["\ud83d\ude00", "\ud83d"]}', {"a": ["\U0001f600", "\ud83d"]}),
        (rb'{"\udfff": 1}', {"\udfff": 1}),
        (b'{"a": NaN, "b": [Infinity, -Infinity]}', {"a": None, "b": [None, None]}),
        (b'{"a": "caf\xe9"}', {"a": "caf\udce9"}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'{"a": "two\nlines"}', {"a": "two\nlines"}),
    ],
)
def test_json_with_faults_of_its_writer_is_read(content: bytes, value: Any) -> None:
    assert read_json(content) == value


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": "x', b"<html>", b"[" * 100_000, b"\xff\xfe"])
def test_what_is_no_json_is_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError):
        read_json(content)


@pytest.mark.parametrize(("how", "replaced"), [("surrogate", 0), ("text", 8), ("nan", 0), ("bytes", 0), ("bom", 0)])
def test_an_odd_envelope_costs_no_retry(
    scripted_server: Callable[..., Any], how: str, replaced: int, caplog: pytest.LogCaptureFixture
) -> None:
    usage, server = Usage(), scripted_server(odd=how)
    replies = ask_all(server.base_url, [request(f"q{i}") for i in range(8)], usage)
    assert all(isinstance(reply, Reply) for reply in replies)
    assert server.stats()["asked"] == 8
    assert usage.total().replaced_characters == replaced
    assert sum("not valid Unicode" in record.message for record in caplog.records) == bool(replaced)
    if replaced:
        assert all(isinstance(reply, Reply) and reply.text.startswith("\ufffd") for reply in replies)


def test_a_broken_error_message_can_be_shown() -> None:
    assert read_error_message(rb'{"error": {"message": "no \ud83d"}}').text == "no \ufffd"
    assert read_error_message(b"<!DOCTYPE html><style>b{}</style><h1>Forbidden</h1>&amp;").text == "Forbidden &"


@pytest.mark.parametrize(
    ("status", "words", "kind"),
    [
        (
            400,
            "The model has crashed without additional information. (Exit code: 184467440)",
            TransientError,
        ),
        (400, "Model unloaded.", TransientError),
        (400, "Failed to load model", TransientError),
        (400, "Channel Error", TransientError),
        (422, "CUDA error: out of memory", TransientError),
        (400, "Model Not Exist", RequestFailed),
        (400, "max_tokens must be <= 512", RequestFailed),
        (400, "Invalid model name passed", RequestFailed),
        (400, "this prompt is not welcome", RequestFailed),
    ],
)
def test_words_for_the_servers_own_state_are_temporary(status: int, words: str, kind: type[Exception]) -> None:
    config = TeacherConfig(kind="openai", base_url="http://127.0.0.1:9/v1", model="m")
    assert isinstance(http_failure(status, {}, ErrorMessage(words), config, "a server", str), kind)


@pytest.mark.parametrize(
    ("words", "refused"),
    [
        ("System role not supported", True),
        ("Conversation roles must alternate user/assistant/user/assistant/...", True),
        ("Only user and assistant roles are supported!", True),
        ("Only user, assistant and tool roles are supported, got system.", True),
        ("Error rendering prompt with jinja template: \"Cannot perform operation + on undefined values\"", True),
        ("Developer instruction is not enabled for models/gemma-3-27b-it", True),
        ("Unsupported value: 'messages[0].role' does not support 'system' with this model.", True),
        ("body.messages.0.role: Input should be 'user' or 'assistant' (literal_error)", True),
        ("Invalid role: system", True),
        ("Unknown role 'system'", True),
        ("this model does not support system prompts", True),
        ("System messages are not allowed", True),
        ("system role is unsupported", True),
        ("Model Not Exist", False),
        ("max_tokens must be <= 512", False),
        ("The operating system is out of file handles", False),
        ("this prompt is not welcome", False),
        ("internal system failure", False),
    ],
)  # fmt: skip
def test_wordings_of_a_missing_system_role(words: str, refused: bool) -> None:
    assert refuses_system_role(words) == refused


def message(role: str, content: str) -> Message:
    return {"role": role, "content": content}


def test_the_system_message_moves_into_the_next_turn_of_the_user() -> None:
    talk = [message("system", "S"), message("user", "a"), message("assistant", "b"), message("user", "c")]
    assert [each["content"] for each in without_system_role(talk)] == ["S\n\na", "b", "c"]
    assert without_system_role([message("system", "S"), message("system", "T")]) == [message("user", "S\n\nT")]
    assert without_system_role(talk[1:]) == talk[1:]
    assert talk[1] == message("user", "a")


class NoSystem:
    """An engine in this process whose chat template knows no system role."""

    name = "no-system"

    def __init__(self) -> None:
        self.roles: list[str] = []

    async def chat(self, request: Request, section: str = "teacher") -> Reply:
        self.roles.append(request.messages[0]["role"])
        if self.roles[-1] == "system":
            raise RequestFailed(BAD_REQUEST, "vllm: the chat template refuses this: System role not supported")
        return Reply(request.messages[0]["content"], "stop", 1, 1)


def test_engines_in_this_process_keep_a_system_role_that_worked() -> None:
    class Moody(NoSystem):
        async def chat(self, request: Request, section: str = "teacher") -> Reply:
            if len(self.roles) == 1:
                self.roles.append("refused")
                raise RequestFailed(BAD_REQUEST, "vllm: the chat template refuses this: System role not supported")
            self.roles.append(request.messages[0]["role"])
            return Reply("yes", "stop", 1, 1)

    engine = Moody()
    teacher = SectionTeacher(engine, "teacher")
    asked = Request([message("system", "S"), message("user", "a")], Sampling(), 1)

    async def thrice() -> list[Reply | BaseException]:
        return [(await asyncio.gather(teacher.chat(asked), return_exceptions=True))[0] for _ in range(3)]

    first, second, third = asyncio.run(thrice())
    assert isinstance(second, RequestFailed)
    assert first == third
    assert engine.roles == ["system", "refused", "system"]


def test_engines_in_this_process_learn_it_too(caplog: pytest.LogCaptureFixture) -> None:
    engine = NoSystem()
    teacher = SectionTeacher(engine, "teacher")
    asked = Request([message("system", "S"), message("user", "a")], Sampling(), 1)

    async def twice() -> list[str]:
        return [(await teacher.chat(asked)).text for _ in range(2)]

    assert asyncio.run(twice()) == ["S\n\na"] * 2
    assert engine.roles == ["system", "user", "user"]
    assert len(caplog.records) == 1
