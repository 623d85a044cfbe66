"""The documents agree with the code: defaults, paths, packages, and nothing is cited that does not ship."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from skillmill.filters.contamination.shared_ngrams import SharedNgrams
from skillmill.flows.config import Config

ROOT = Path(__file__).parents[1]
PACKAGES = ["data", "teachers", "skill_taxonomy", "filters", "generators", "train", "flows"]
FIXED = {"filters": "docs/filters.md has its own table"}
"""Sections that docs/configuration.md covers by a link."""


def tracked_texts() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:  # an unpacked archive is no repository
        return [path for package in [*PACKAGES, "docs", "tests"] for path in (ROOT / package).rglob("*.*")]
    paths = [ROOT / name for name in listed.stdout.splitlines()]
    return [path for path in paths if path.suffix in {".py", ".md", ".jinja", ".toml", ".yaml", ".html"}]


def test_nothing_cites_a_document_that_does_not_ship() -> None:
    # Spelled in two halves, so that this file does not cite them.
    unshipped = re.compile(r"\b(papers|peers|design|style|environment)\." + "md")
    found = [
        str(path.relative_to(ROOT)) for path in tracked_texts() if path.exists() and unshipped.search(path.read_text())
    ]
    assert not found


def table_rows(text: str) -> Iterator[list[str]]:
    """Yield the cells of each row of the Markdown tables in a text."""
    for line in text.splitlines():
        if line.startswith("| ") and not line.startswith("| ---"):
            yield [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip("|"))]


def places_of_changes() -> list[tuple[str, str]]:
    """Return (change, path) for each path in the table "Where to change things" of docs/architecture.md."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = text.split("## Where to change things", 1)[1].split("\n## ", 1)[0]
    rows = [row for row in table_rows(section) if len(row) == 2 and row[0] != "to …"]
    return [(change, path) for change, places in rows for path in re.findall(r"`([\w./-]+/[\w./-]*)`", places)]


def test_the_table_of_changes_names_places() -> None:
    assert len({change for change, _ in places_of_changes()}) >= 10


@pytest.mark.parametrize(("change", "path"), places_of_changes(), ids=lambda value: value)
def test_a_place_in_the_architecture_exists(change: str, path: str) -> None:
    assert (ROOT / path).exists(), f"{change}: {path}"


def test_every_package_is_in_the_wheel() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    folders = [path.parent.relative_to(ROOT) for name in PACKAGES for path in (ROOT / name).rglob("__init__.py")]
    assert sorted(project["tool"]["setuptools"]["packages"]) == sorted(
        f"skillmill.{str(folder).replace('/', '.')}" for folder in folders
    )


def configuration_rows() -> list[tuple[str, str]]:
    """Return (key, default) for each row of docs/configuration.md; a default is YAML in backquotes or *words*."""
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    return [(row[0].strip("`"), row[1].strip("`")) for row in table_rows(text) if re.fullmatch(r"`[\w.]+`", row[0])]


def default_of(key: str) -> Any:
    """Return the default of a key; for a key of a section that is null by default, that of an empty section."""
    model: type[BaseModel] = Config
    value: Any = Config()
    for part in key.split("."):
        field = model.model_fields[part]
        value = getattr(value, part) if value is not None else field.get_default(call_default_factory=True)
        inner = [each for each in getattr(field.annotation, "__args__", (field.annotation,)) if isinstance(each, type)]
        model = next((each for each in inner if issubclass(each, BaseModel)), model)
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


@pytest.mark.parametrize(("key", "default"), configuration_rows(), ids=lambda value: value)
def test_the_configuration_page_names_the_default(key: str, default: str) -> None:
    value = default_of(key)
    if default.startswith("*"):  # a default in words is no constant
        return
    documented = yaml.safe_load(default)
    if isinstance(value, dict) and isinstance(documented, dict):
        value = {name: value[name] for name in documented}
    assert documented == (list(value) if isinstance(value, tuple) else value)


def leaves(value: object, key: str = "") -> Iterator[str]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from leaves(inner, f"{key}.{name}" if key else name)
    else:
        yield key


def test_every_key_is_on_the_configuration_page() -> None:
    documented = {key for key, _ in configuration_rows()} | set(FIXED)
    for leaf in leaves(Config().model_dump(mode="json")):
        parts = leaf.split(".")
        assert any(".".join(parts[:n]) in documented for n in range(1, len(parts) + 1)), leaf


def filter_rows() -> dict[str, str]:
    """Return the options of each filter as the table of docs/filters.md lists them."""
    text = (ROOT / "docs" / "filters.md").read_text(encoding="utf-8")
    rows = [row for row in table_rows(text) if len(row) == 3]
    known = Config().filters.model_dump()
    return {name: row[2] for row in rows for name in re.findall(r"^`(\w+)`", row[0]) if name in known}


@pytest.mark.parametrize("name", [name for name in Config().filters.model_dump() if name != "custom"])
def test_the_filters_page_lists_every_option_with_its_default(name: str) -> None:
    options = Config().filters.model_dump(mode="json")[name]
    options.pop("enabled")
    listed = re.findall(r"`(\w+): ([^`]+)`", filter_rows()[name])
    assert {key: yaml.safe_load(value) for key, value in listed} == options


def test_the_example_of_shared_ngrams_returns_what_the_filters_page_shows() -> None:
    text = (ROOT / "docs" / "filters.md").read_text(encoding="utf-8")
    (example,) = (code for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "shared_ngrams" in code)
    statements, call, shown = re.split(r"(shared_ngrams\(.*\))\n", example)
    names: dict[str, Any] = {}
    exec(statements, names)
    expected = "".join(line.removeprefix("#").strip() + " " for line in shown.splitlines())
    assert eval(call, names) == eval(expected, names | {"SharedNgrams": SharedNgrams})


@pytest.mark.parametrize("page", ["filters.md", "configuration.md", "pairs.md", "metrics.md", "evaluation.md"])
def test_the_links_of_a_page_lead_somewhere(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    for name, anchor in re.findall(r"\]\((?!https?:)([\w.]*)#?([\w-]*)\)", text):
        target = ROOT / "docs" / (name or page)
        assert target.exists(), name
        headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
        assert not anchor or anchor in {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}
