"""Error messages name the keys of the section that a model is configured in, and nothing else in them is changed."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from skillmill.data.errors import ConfigError, SkillmillError, TeacherError
from skillmill.flows.config import parse_config
from skillmill.teachers.base import Request, RequestFailed, Sampling
from skillmill.teachers.build import open_teacher, teacher_name
from skillmill.teachers.config import GraderConfig, StudentConfig, TeacherConfig
from skillmill.teachers.engines import embedded
from skillmill.teachers.engines.shared import SectionTeacher
from skillmill.teachers.middleware.accounting import Usage
from skillmill.teachers.middleware.journal import Journal

SECTIONS = [TeacherConfig, GraderConfig, StudentConfig]


def opening_error(config: TeacherConfig, folder: Path) -> str:
    async def run() -> None:
        async with open_teacher(config, Journal(folder / "journal.sqlite"), Usage()) as teacher:
            await teacher.chat(Request([{"role": "user", "content": "Hi"}], Sampling(), 1))

    with pytest.raises(SkillmillError) as caught:
        asyncio.run(run())
    return str(caught.value)


@pytest.mark.parametrize("form", SECTIONS)
def test_an_address_that_contains_a_section_is_not_changed(form: type[TeacherConfig], tmp_path: Path) -> None:
    address = "http://teacher.localhost:9/grader.v1"
    config = form(kind="openai", base_url=address, model="teacher.large")
    message = opening_error(config, tmp_path)
    assert message.startswith(f"{form.section}.base_url: cannot reach {address}: ")


@pytest.mark.parametrize("form", SECTIONS)
def test_a_model_that_contains_a_section_is_not_changed(form: type[TeacherConfig], tmp_path: Path) -> None:
    path = tmp_path / "teacher.model.gguf"
    path.write_bytes(b"PK..")
    config = form(model=str(path))
    with pytest.raises(ConfigError) as caught:
        teacher_name(config)
    assert str(caught.value) == f"{form.section}.model: {path} is not a GGUF file (it starts with b'PK..')"
    assert opening_error(config, tmp_path) == str(caught.value)


@pytest.mark.parametrize("form", SECTIONS)
def test_a_folder_of_vllm_that_contains_a_section_is_not_changed(form: type[TeacherConfig], tmp_path: Path) -> None:
    with pytest.raises(TeacherError) as caught:
        teacher_name(form(kind="vllm", model="/teacher.d", engine_args={"lora": "/teacher.lora"}))
    assert str(caught.value).startswith(f"{form.section}.model: /teacher.d holds no config.json")


@pytest.mark.parametrize("form", SECTIONS)
@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"base_url": "http://teacher.h/v1", "headers": {"a b": "teacher."}}, "headers.'a b': expected"),
        ({"serve": "'teacher.sh"}, 'serve: expected a command, got "\'teacher.sh"'),
    ],
)
def test_settings_that_an_engine_rejects_are_named(
    form: type[TeacherConfig], settings: dict[str, Any], key: str, tmp_path: Path
) -> None:
    config = form(kind="openai", model="m", **settings)
    assert opening_error(config, tmp_path).startswith(f"{form.section}.{key}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"grader": {"kind": "openai", "base_url": "teacher.h", "model": "m"}},
         "grader.base_url: expected an http or https address, got 'teacher.h'"),
        ({"pairs": {"student": {"kind": "openai", "serve": "teacher.sh"}}},
         "pairs.student.serve: expected pairs.student.model beside it, the model's name on that server"),
        ({"grader": {"kind": "teacher.x"}},
         "grader.kind: Input should be 'embedded', 'vllm' or 'openai', got 'teacher.x'"),
    ],
)  # fmt: skip
def test_a_configuration_that_cannot_be_used_names_its_section(content: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(content)
    assert str(caught.value) == message


def test_a_shared_engine_names_the_section_of_the_request() -> None:
    class Full:
        name = "full"

        async def chat(self, request: Request, section: str = "teacher") -> Any:
            error = {"type": "exceed_context_size_error", "n_prompt_tokens": 9, "n_ctx": 8}
            raise embedded._failure(error, section)

    request = Request([{"role": "user", "content": "Hi"}], Sampling(), 1)
    with pytest.raises(RequestFailed, match=r"\(grader\.engine_args\.n_ctx divided by grader\.max_in_flight\)"):
        asyncio.run(SectionTeacher(Full(), "grader").chat(request))
