"""User-defined generators, and user-supplied prompts, from a configuration's folder."""

import asyncio
import re
from pathlib import Path

import pytest

from skillmill.data.errors import ConfigError
from skillmill.data.records import Sample
from skillmill.flows.config import load_config
from skillmill.flows.plan import Plan, make_plan
from skillmill.skill_taxonomy.sources import builtin
from skillmill.teachers.base import Reply, Request

TAXONOMY = builtin("language")
DOCUMENTED = (Path(__file__).parents[2] / "docs" / "generators.md").read_text(encoding="utf-8")


class Echo:
    """A teacher that returns the last message of each request."""

    name = "echo"

    async def chat(self, request: Request) -> Reply:
        return Reply(request.messages[-1]["content"], "stop", 10, 5)


def plan_of(folder: Path, text: str = "", **prompts: str) -> Plan:
    """The plan of a configuration in `folder`, with files in `folder/mine`."""
    (folder / "mine").mkdir(exist_ok=True)
    for name, content in prompts.items():
        (folder / "mine" / f"{name}.jinja").write_text(content, encoding="utf-8")
    (folder / "skillmill.yaml").write_text(text, encoding="utf-8")
    return make_plan(load_config(folder / "skillmill.yaml"), TAXONOMY)


def made(plan: Plan) -> list[Sample]:
    return asyncio.run(plan.generator.make(next(iter(plan.combinations.cells())), Echo()))


def documented(language: str, page: str = DOCUMENTED) -> str:
    """Return the only code block of a language in a page's section on user-defined generators."""
    section = page.partition("## User-defined generators")[2]
    block: str
    [block] = re.findall(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return block


def test_the_generator_of_the_documentation_works(tmp_path: Path) -> None:
    (tmp_path / "my_generator.py").write_text(documented("python"), encoding="utf-8")
    (tmp_path / "dialogue").mkdir()
    (tmp_path / "dialogue" / "request.jinja").write_text(documented("jinja"), encoding="utf-8")
    plan = plan_of(tmp_path, documented("yaml"))
    cell = next(iter(plan.combinations.cells()))
    (sample,) = made(plan)
    assert sample.response.startswith("Write a dialogue")
    assert all(skill.name in sample.instruction for skill in cell.skills)
    assert sample.accepted and sample.completion_tokens == 5
    assert (cell.kind, plan.generator.prompts, len(plan.generator.prompts)) == ("dialogue", plan.parts["prompts"], 16)
    (tmp_path / "dialogue" / "request.jinja").write_text("Something else: {{ skills[0].name }}")
    assert plan_of(tmp_path, documented("yaml")).fingerprint != plan.fingerprint


OWN = """
class Own:
    kind = "own"
    prompts = "{prompts}"
    def __init__(self, sampling, generations): pass
    async def make(self, cell, teacher): return []
"""
OWN_CONFIG = 'generation: {kind: "mine_too:Own"}'


def test_two_folders_have_generators_of_the_same_name(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine_too.py").write_text(OWN.format(prompts=name))
        assert plan_of(tmp_path / name, OWN_CONFIG).generator.prompts == name
    (tmp_path / "a" / "mine_too.py").write_text(OWN.format(prompts="edited"))
    assert plan_of(tmp_path / "a", OWN_CONFIG).generator.prompts == "edited"


def test_a_file_named_as_an_installed_module_is_ours_and_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text(OWN.format(prompts="own"))
    assert plan_of(tmp_path, 'generation: {kind: "json:Own"}').generator.prompts == "own"
    import json

    assert json.loads("1") == 1


def test_a_generator_in_a_folder_imports_what_lies_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "my_helper_of_test_own.py").write_text("NAME = 'helped'")
    (tmp_path / "deep" / "gen.py").write_text(
        "from my_helper_of_test_own import NAME\n" + OWN.replace('"{prompts}"', "NAME")
    )
    assert plan_of(tmp_path, 'generation: {kind: "deep.gen:Own"}').generator.prompts == "helped"
    assert plan_of(tmp_path, 'generation: {kind: "gen:Own", path: deep}').generator.prompts == "helped"


@pytest.mark.parametrize(
    ("source", "kind", "complaint"),
    [
        (None, "own:Own", r"own:Own: there is no .*own\.py and no installed module own$"),
        (None, "no.such:Own", r"no\.such:Own: there is no .*such\.py and no installed module no\.such$"),
        ("x = 1", "own:Own", r"own:Own: there is no class Own in own$"),
        ("Own = 1", "own:Own", r"there is no class Own in own$"),
        ("class Own: pass", "own:Own", r"expected a method `async def make\(self, cell, teacher\)`$"),
        ("class Own:\n def make(self, cell, teacher): ...", "own:Own", r"expected a method `async def make"),
        ("class Own:\n async def make(self, c, t): ...", "own:Own", r"cannot make own:Own\(sampling, generations\): "),
        (OWN.replace('prompts = "{prompts}"', ""), "own:Own", r"expected an attribute `prompts`, a text$"),
        ("import no_such_module_at_all", "own:Own", r"cannot import own:Own: No module named 'no_such_module_at_all'$"),
        ("class Own(:", "own:Own", r"cannot import own:Own: SyntaxError: invalid syntax"),
        ("1 / 0", "own:Own", r"cannot import own:Own: ZeroDivisionError: division by zero$"),
        (OWN, "own", r"expected skill_mix, instruct_skill_mix or package\.module:Class, got 'own'$"),
    ],
)
def test_what_is_no_generator_is_named(tmp_path: Path, source: str | None, kind: str, complaint: str) -> None:
    if source is not None:
        (tmp_path / "own.py").write_text(source)
    with pytest.raises(ConfigError, match=rf"^generation\.kind: .*{complaint}") as error:
        plan_of(tmp_path, f'generation: {{kind: "{kind}"}}')
    assert "\n" not in str(error.value)


SKILL_MIX = "generation: {kind: skill_mix, prompts: mine}"


def test_a_prompt_of_the_users_own_replaces_the_shipped_one(tmp_path: Path) -> None:
    shipped = plan_of(tmp_path, "generation: {kind: skill_mix}")
    own = plan_of(tmp_path, SKILL_MIX, request="Show {{ skills[0].name }} on {{ topic }}.")
    (sample,) = made(own)
    cell = next(iter(own.combinations.cells()))
    assert cell.topic is not None
    assert sample.instruction == f"Show {cell.skills[0].name} on {cell.topic.name}."
    assert own.fingerprint != shipped.fingerprint
    assert own.generator.prompts != shipped.generator.prompts


def test_a_comment_in_a_prompt_is_not_in_the_fingerprint(tmp_path: Path) -> None:
    bare = plan_of(tmp_path, SKILL_MIX, request="Show {{ topic }}.")
    commented = plan_of(tmp_path, SKILL_MIX, request="{# The request,\n in one line. #}\nShow {{ topic }}.{# End #}")
    assert commented.fingerprint == bare.fingerprint
    assert [sample.instruction for sample in made(commented)] == [sample.instruction for sample in made(bare)]
    assert plan_of(tmp_path, SKILL_MIX, request="Show {{ topic }}!").fingerprint != bare.fingerprint


def test_the_fingerprint_is_over_the_sources_that_are_used(tmp_path: Path) -> None:
    shipped = Path(__file__).parents[2] / "generators" / "prompts" / "skill_mix" / "request.jinja"
    same = plan_of(tmp_path, SKILL_MIX, request=shipped.read_text())
    assert same.generator.prompts == plan_of(tmp_path, "generation: {kind: skill_mix}").generator.prompts
    (instruction,) = {sample.instruction for sample in made(same)}
    plan_of(tmp_path, SKILL_MIX, request="Edited.")
    assert [sample.instruction for sample in made(same)] == [instruction]  # a plan's prompts do not change


@pytest.mark.parametrize(
    ("kind", "name", "text", "complaint"),
    [
        ("skill_mix", "refine", "x", r"mine/refine\.jinja replaces no prompt, expected one of draft\.jinja, "),
        (
            "skill_mix",
            "draft",
            "{{ topc }}",
            r"draft\.jinja: unknown variable topc, expected of sentences, skills, topic",
        ),
        ("skill_mix", "draft", "{% for %}", r"mine/draft\.jinja: not a Jinja template: Expected"),
        ("skill_mix", "example", "{}", r"mine/example\.jinja: example 1: skills: Field required$"),
        ("skill_mix", "example", "", r"mine/example\.jinja: expected a JSON object on every line, found none$"),
        ("instruct_skill_mix", "examples", "no JSON", r"mine/examples\.jinja: example 1: Invalid JSON"),
    ],
)
def test_a_prompt_that_cannot_be_used_is_named(tmp_path: Path, kind: str, name: str, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as error:
        plan_of(tmp_path, f"generation: {{kind: {kind}, prompts: mine}}", **{name: text})
    assert "\n" not in str(error.value)


def test_a_folder_of_prompts_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^generation\.prompts: cannot read the folder .*nowhere: No such file"):
        plan_of(tmp_path, "generation: {prompts: nowhere}")


def test_a_variable_of_another_turn_is_named_when_it_is_rendered(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "generation: {prompts: mine}", task="{{ draft }}")
    with pytest.raises(ConfigError, match=r"mine/task\.jinja: 'draft' is undefined$"):
        made(plan)


@pytest.mark.parametrize(
    ("generation", "complaint"),
    [
        (
            "{turns: 1}",
            "turns: kind instruct_skill_mix has no such option, its own are refine, rewrite, ask_again, evolve",
        ),
        (
            "{kind: skill_mix, refine: needed}",
            "refine: kind skill_mix has no such option, its own are turns, order, prompts",
        ),
        ("{kind: 'a:B', prompts: mine}", "prompts: kind a:B has no such option, its own are path"),
        ("{kind: skill_mix, order: paper, turns: 1}", "order: paper tells the sentence limit in the second turn"),
    ],
)
def test_an_option_goes_with_its_kind(tmp_path: Path, generation: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=rf"^generation\.{complaint}"):
        plan_of(tmp_path, f"generation: {generation}")


@pytest.mark.parametrize(
    ("kind", "option"),
    [
        ("skill_mix", "turns: 1"),
        ("skill_mix", "order: paper"),
        ("instruct_skill_mix", "refine: needed"),
        ("instruct_skill_mix", "rewrite: false"),
        ("instruct_skill_mix", "ask_again: 1"),
    ],
)
def test_an_option_is_part_of_the_plan(tmp_path: Path, kind: str, option: str) -> None:
    before = plan_of(tmp_path, f"generation: {{kind: {kind}}}")
    after = plan_of(tmp_path, f"generation: {{kind: {kind}, {option}}}")
    key = f"generation.{option.split(':')[0]}"
    assert [name for name in after.parts if after.parts[name] != before.parts[name]] == [key]
    assert after.fingerprint != before.fingerprint
