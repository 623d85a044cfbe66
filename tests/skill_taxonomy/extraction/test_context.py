"""The context of a question: a bounded excerpt of a document and a few seed skills, always as data."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skillmill.data.errors import ConfigError
from skillmill.skill_taxonomy.extraction.context import EXCERPT_CHARS, SEEDS_SHOWN, Context, read_context
from skillmill.skill_taxonomy.sources import TaxonomyConfig
from skillmill.skill_taxonomy.taxonomy import Skill


def test_nothing_given_is_the_question_alone() -> None:
    assert Context().before("Why?", 1, "place") == "Why?"
    assert not Context()


def test_each_place_sees_a_few_seeds_and_another_part_of_the_documents(tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    path.write_text(" ".join(f"word{i}" for i in range(50_000)))
    context = Context(tuple(Skill(name=f"skill {i}") for i in range(20)), (path,))
    seen = [context.before("Why?", 1, place) for place in range(20)]
    assert len(set(seen)) == 20
    assert seen == [context.before("Why?", 1, place) for place in range(20)]
    for text in seen:
        assert text.endswith("\n\nWhy?")
        assert len(text) < EXCERPT_CHARS + 300
        assert len(next(line for line in text.splitlines() if "skill" in line).split(",")) == SEEDS_SHOWN


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(min_size=1, max_size=3000).filter(lambda text: text.strip() and "\0" not in text), st.integers(0, 50))
def test_an_excerpt_is_words_of_the_document(tmp_path: Path, text: str, place: int) -> None:
    path = tmp_path / "any.txt"
    path.write_text(text, encoding="utf-8", newline="")
    shown = Context((), (path,)).before("?", 1, place)
    excerpt = shown.removeprefix('Text:\n"""\n').removesuffix('"""\n\n?').strip()
    assert excerpt in " ".join(text.split()) or shown == "?"


def test_documents_are_data(tmp_path: Path) -> None:
    path = tmp_path / "hostile.txt"
    path.write_text("{{ 7 * 7 }} {% include '/etc/passwd' %}")
    assert "{{ 7 * 7 }} {% include '/etc/passwd' %}" in Context((), (path,)).before("?", 1)


def test_seeds_from_a_list_or_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("skills: [{name: splicing, category: rope, definition: Joining two ends by their strands.}]")
    named = read_context(TaxonomyConfig(seed_skills=("splicing", "whipping", "splicing"), domain="ropework"))
    assert [(skill.name, skill.category) for skill in named.skills] == [
        ("splicing", "ropework"),
        ("whipping", "ropework"),
    ]
    assert read_context(TaxonomyConfig(seed_skills=str(path))).skills[0].category == "rope"


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot read .*No such file"), (b"", "is empty"), (b" \n", "is empty"), (b"PK\3\4\0\0", "is no text file")],
)
def test_a_document_that_is_none(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "notes.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=rf"taxonomy\.documents: .*{message}"):
        read_context(TaxonomyConfig(documents=(str(path),)))
