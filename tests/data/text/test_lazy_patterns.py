"""A lazy pattern is compiled at its first use and then behaves as a compiled one."""

import re
from importlib import import_module
from pathlib import Path

import pytest

import skillmill.data
from skillmill.data.text.lazy_patterns import lazy_pattern

ROOT = Path(skillmill.data.__path__[0]).parent
WITH_LAZY_PATTERNS = sorted(
    ".".join(("skillmill", *path.relative_to(ROOT).with_suffix("").parts))
    for folder in ("data", "teachers", "filters", "generators")
    for path in (ROOT / folder).rglob("*.py")
    if "= lazy_pattern(" in path.read_text()
)


def test_it_has_the_methods_and_attributes_of_the_compiled_pattern() -> None:
    lazy, compiled = lazy_pattern(r"(?P<word>b\w+)", re.IGNORECASE), re.compile(r"(?P<word>b\w+)", re.IGNORECASE)
    text = "A bee, a Bear, a cat"
    assert lazy.findall(text) == compiled.findall(text) == ["bee", "Bear"]
    assert lazy.sub("x", text) == compiled.sub("x", text)
    assert [match["word"] for match in lazy.finditer(text, 5)] == ["Bear"]
    assert (lazy.pattern, lazy.flags, lazy.groupindex) == (compiled.pattern, compiled.flags, compiled.groupindex)


def test_it_is_compiled_once_and_not_before_its_first_use() -> None:
    broken = lazy_pattern("(")
    assert broken.pattern == "("
    with pytest.raises(re.error):
        broken.search("text")
    lazy = lazy_pattern("a")
    assert lazy.search("cat")
    assert lazy.search is lazy.search  # stored: a later use costs what that of a compiled pattern does


@pytest.mark.parametrize("module", WITH_LAZY_PATTERNS)
def test_all_of_them_are_valid(module: str) -> None:
    names = {
        name: value for name, value in vars(import_module(module)).items() if type(value) is type(lazy_pattern(""))
    }
    assert names
    for value in names.values():
        assert isinstance(re.compile(value.pattern, value.flags), re.Pattern)
