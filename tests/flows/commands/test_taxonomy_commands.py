"""`skillmill taxonomy show | check | merge | split` on files, as a person calls them."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skillmill.data.records import Sample, sample_row
from skillmill.data.store import sample_store
from skillmill.flows.report.coverage import coverage_of
from skillmill.skill_taxonomy.formats import load_taxonomy, save_taxonomy
from skillmill.skill_taxonomy.taxonomy import Skill, Taxonomy

FILE = """\
# my own list
skills:
- name: irony              # a classic
  category: literary
  definition: Saying the opposite of what is meant.
  example: Lovely weather, under an umbrella.
- name: irony skills
  category: literary
  definition: <script>alert("x")</script> {{ 7 * 7 }}
  example: Well done, said to a spilt soup.
- name: deduction
  category: logical
  definition: Drawing what follows of necessity.
  example: All kilns are hot and this is one, so it is hot.
topics: [{name: Bees}, {name: Knots}, {name: Kilns}, {name: Trams}]
"""

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(command_line: Command) -> Command:
    """Call `command("check", "mine.yaml")` in a folder with mine.yaml: exit code, standard output, standard error."""
    Path("mine.yaml").write_text(FILE)

    def call(*arguments: str) -> tuple[int, str, str]:
        return command_line("taxonomy", *arguments)

    return call


def run_with_rows(root: Path, *skills: list[str]) -> None:
    store = sample_store(root)
    store.recover()
    facts: dict[str, Any] = {"plan": "a" * 16, "kind": "skill_mix", "topic": "Bees", "query_type": None, "teacher": "t"}
    rows = [
        sample_row(
            Sample("Write.", "Text.", reasons=() if i else ("too_short",)),
            **facts,
            index=i,
            cell=f"{i:016x}",
            k=len(names),
            skills=names,
            prompts="0" * 16,
            seed=i,
            split="train",
        )
        for i, names in enumerate(skills)
    ]
    store.commit("a" * 16, 0, len(rows), rows, cells=len(rows), accepted=len(rows) - 1)


def test_check_names_file_and_line_and_exits_0_with_warnings_alone(command: Command) -> None:
    code, out, err = command("check", "mine.yaml")
    assert (code, out) == (0, "mine.yaml:7: warning: irony skills: is nearly the same name as 'irony'\n")
    assert "0 errors, 1 warnings" in err


def test_check_exits_1_on_an_error(command: Command) -> None:
    Path("mine.yaml").write_text(FILE + "query_types:\n- {name: why}\n")
    code, out, _ = command("check", "mine.yaml")
    assert code == 1
    assert "mine.yaml:17: error: why: has no definition" in out


def test_a_tree_of_a_thousand_skills_fits_the_screen(command: Command) -> None:
    many = Taxonomy(skills=tuple(Skill(name=f"skill {i}", category=f"category {i % 20}") for i in range(1000)))
    save_taxonomy(many, Path("many.yaml"))
    code, out, _ = command("show", "many.yaml")
    assert code == 0
    assert len(out.splitlines()) == 1 + 20 + 2
    assert re.search(r"category 7  50  skill 7, skill 27, .*…", out)
    assert len(command("show", "many.yaml", "--all")[1].splitlines()) > 1000


def test_coverage_counts_rows_and_accepted_rows_under_every_name(command: Command, tmp_path: Path) -> None:
    run_with_rows(tmp_path / "out", ["irony", "deduction"], ["Irony", "old irony"], ["deduction", "irony"])
    coverage = coverage_of(tmp_path / "out")
    assert coverage.of(Skill(name="irony", aliases=("old irony",))) == (4, 3)
    assert coverage.of(Skill(name="litotes")) == (0, 0)
    out = command("show", "mine.yaml", "--run", "out")[1]
    assert "literary  2, 1 in rows" in out
    code, _, err = command("show", "mine.yaml", "--run", ".")
    assert code == 2
    assert "--run .: holds no rows" in err


def test_the_page_has_it_all_escaped_and_needs_no_network(command: Command, tmp_path: Path) -> None:
    run_with_rows(tmp_path / "out", ["irony", "deduction"], ["irony", "deduction"])
    code, out, _ = command("show", "mine.yaml", "--html", "page.html", "--run", "out")
    assert (code, out) == (0, "page.html\n")
    page = Path("page.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt; {{ 7 * 7 }}" in page
    assert not re.search(r"\b(src|href)=|url\(|@import", page)
    for shown in ("<b>literary</b>", "67%</b>of skills in rows", "head word", "1 in rows, 2 uses", "Kilns"):
        assert shown in page


def test_merge_plans_then_applies_and_keeps_comments(command: Command) -> None:
    code, out, err = command("merge", "mine.yaml", "--plan", "plan.yaml", "--model", "lexical")
    assert (code, out) == (0, "irony <- irony skills (head word)\n")
    assert "compared by character n-grams" in err
    assert Path("mine.yaml").read_text() == FILE
    assert command("merge", "mine.yaml", "--apply", "plan.yaml", "--out", "merged.yaml")[0] == 0
    assert load_taxonomy(Path("merged.yaml")).skills[0].aliases == ("irony skills",)
    assert "# a classic" in Path("merged.yaml").read_text()
    assert Path("mine.yaml").read_text() == FILE
    assert command("merge", "mine.yaml", "--apply", "plan.yaml", "--in-place")[0] == 0
    assert Path("mine.yaml").read_text() == Path("merged.yaml").read_text()


def test_split_freezes_in_the_file_and_says_what(command: Command) -> None:
    code, out, _ = command("split", "mine.yaml", "--by", "category", "--hold", "logical", "--out", "split.yaml")
    assert code == 0
    assert "skills: 2 train, 0 validation, 1 test\n" in out
    assert "now held out for test: logical\n" in out
    assert Path("split.yaml").read_text() == FILE.replace("so it is hot.\n", "so it is hot.\n  split: test\n")
    assert command("split", "split.yaml", "--by", "topic", "--test", "0.5", "--in-place")[0] == 0
    assert sum(topic.split == "test" for topic in load_taxonomy(Path("split.yaml")).topics) == 2


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["check", "nothing.yaml"], "cannot read nothing.yaml: No such file"),
        (["check", "bad.yaml"], "bad.yaml:2: skills[0].nam: unknown key"),
        (["merge", "mine.yaml"], "expected either --plan PLAN (to write it) or --apply PLAN"),
        (["merge", "mine.yaml", "--plan", "bad.yaml"], "--plan bad.yaml: is already there, and may have been amended"),
        (["merge", "mine.yaml", "--plan", "p", "--model", "no/such-model"], "--model no/such-model: "),
        (["merge", "mine.yaml", "--apply", "p.yaml"], "expected either --out FILE or --in-place"),
        (["merge", "mine.yaml", "--apply", "bad.yaml", "--out", "new"], "bad.yaml:2: skills[0].keep: Field required"),
        (["merge", "mine.yaml", "--apply", "p.yaml", "--out", "mine.yaml"], "--out mine.yaml: is already there"),
        (["split", "builtin:language", "--by", "topic", "--test", "0.1", "--in-place"], "stays as it is"),
        (["split", "mine.yaml", "--by", "skill", "--out", "new"], "expected --test SHARE"),
        (
            ["split", "mine.yaml", "--by", "skill", "--test", "0.7", "--validation", "0.3", "--out", "new"],
            "shares of 1",
        ),
        (["split", "mine.yaml", "--by", "size", "--test", "0.7", "--out", "new"], "--by"),
        (["split", "mine.yaml", "--by", "topic", "--hold", "Bee", "--out", "new"], "did you mean 'bees'"),
        (["show", "builtin:nothing"], "there is no builtin:nothing"),
    ],
)
def test_bad_usage_is_one_clear_line_and_writes_nothing(command: Command, arguments: list[str], complaint: str) -> None:
    Path("bad.yaml").write_text("skills:\n- nam: irony\n")
    code, _, err = command(*arguments)
    assert code == 2
    assert err.splitlines()[-1].startswith("skillmill: ")
    assert complaint in err
    assert sorted(path.name for path in Path().iterdir()) == ["bad.yaml", "mine.yaml"]
    assert Path("mine.yaml").read_text() == FILE


@pytest.mark.parametrize("verb", ["show", "check", "merge", "split"])
def test_every_verb_has_help_with_an_example(command: Command, verb: str) -> None:
    assert f"Example: skillmill taxonomy {verb}" in " ".join(command(verb, "--help")[1].split())
