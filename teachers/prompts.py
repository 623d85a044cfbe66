"""Prompts are documents: Jinja files in a `prompts/` folder beside the code that renders them.

Teacher text enters as a variable and is never rendered as a template itself.
"""

import hashlib
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from jinja2 import DictLoader, StrictUndefined, Template, TemplateError, TemplateNotFound
from jinja2.lexer import TOKEN_COMMENT, TOKEN_COMMENT_BEGIN, TOKEN_COMMENT_END
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment

from skillmill.data.errors import ConfigError

COMMENT = frozenset({TOKEN_COMMENT_BEGIN, TOKEN_COMMENT, TOKEN_COMMENT_END})
"""Jinja's tokens of a comment: no model ever sees one, so rewording it must not begin a new plan."""


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's own sandbox, which is asked about every attribute that a prompt reads: most hold plain values."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """As the sandbox has it. A text or number under a public name is nothing to get out by: a tenth of the time."""
        plain = value is None or type(value) in (str, bool, int, float)
        return (plain and not attr.startswith("_")) or super().is_safe_attribute(obj, attr, value)


class Prompts:
    """The `<turn>.jinja` files of the folders, each replaced by the file of the same name in the folder `own`.

    All are read at once, so that what is rendered is what the fingerprint is over, also where a file changes while a
    run goes on. Raises `ConfigError` for a folder of the user's own that cannot be used: a file that is none of the
    shipped ones, that is no template, or that has a variable which no shipped prompt has.
    """

    def __init__(self, *folders: Path, own: Path | None = None) -> None:
        self._folder = folders[0]
        self._paths = {path.name: path for folder in folders for path in sorted(folder.glob("*.jinja"))}
        replaced = _files_of(own, list(self._paths)) if own else {}
        self._sources = {name: path.read_text(encoding="utf-8") for name, path in self._paths.items()}
        # Prompts are plain text for a model, not HTML: escaping would put &quot; into the data.
        self._environment = _Sandbox(
            loader=DictLoader(self._sources),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._compiled: dict[str, Template] = {}
        known = self._variables(list(self._paths)) if replaced else set()
        self._paths.update(replaced)
        self._sources.update({name: _text(path) for name, path in replaced.items()})
        for name, path in replaced.items():
            for variable in sorted(self._variables([name]) - known):
                raise ConfigError(f"{path}: unknown variable {variable}, expected of {', '.join(sorted(known))}")

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits over the names and sources of all prompt files; Jinja comments do not count.

        Raises `ConfigError` for a file that is not a template.
        """
        digest = hashlib.sha256()
        for name in self._sources:
            digest.update(name.encode() + b"\0" + self._without_comments(name).encode() + b"\0")
        return digest.hexdigest()[:16]

    def _without_comments(self, name: str) -> str:
        try:
            tokens = self._environment.lex(self._sources[name])
            return "".join(text for _, kind, text in tokens if kind not in COMMENT)
        except TemplateError as error:
            raise ConfigError(f"{self._paths[name]}: not a Jinja template: {_one_line(error)}") from None

    def path(self, turn: str) -> Path:
        """Where the prompt of a turn lies, for complaints."""
        return self._paths.get(f"{turn}.jinja", self._folder / f"{turn}.jinja")

    def render(self, turn: str, **variables: Any) -> str:
        """The text of one turn. An undefined variable is an error, not an empty string. Raises `ConfigError`."""
        try:
            template = self._compiled.get(turn) or self._environment.get_template(f"{turn}.jinja")
            self._compiled[turn] = template
            # What `template.render` does, without looking through a chain of globals for every text.
            context = template.new_context({**self._environment.globals, **variables}, shared=True)
            return "".join(template.root_render_func(context)).strip()
        except TemplateNotFound as error:
            raise ConfigError(f"{self.path(turn)}: there is no prompt {error.name}") from None
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, RuntimeError) as error:
            raise ConfigError(f"{self.path(turn)}: {_one_line(error)}") from None

    def _variables(self, names: list[str]) -> set[str]:
        """All that the templates take from outside."""
        found = set[str]()
        for name in names:
            try:
                found |= find_undeclared_variables(self._environment.parse(self._sources[name]))
            except TemplateError as error:
                raise ConfigError(f"{self._paths[name]}: not a Jinja template: {_one_line(error)}") from None
        return found


def _files_of(own: Path, known: list[str]) -> dict[str, Path]:
    """The prompt files in a folder of the user's own, by name; hidden files are none."""
    try:
        paths = [path for path in sorted(own.iterdir()) if not path.name.startswith(".")]
    except OSError as error:
        raise ConfigError(f"generation.prompts: cannot read the folder {own}: {error.strerror}") from None
    for path in paths:
        if path.name not in known:
            raise ConfigError(f"generation.prompts: {path} replaces no prompt, expected one of {', '.join(known)}")
    return {path.name: path for path in paths}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"generation.prompts: cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"generation.prompts: {path} is not UTF-8 text") from None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


@cache
def shipped(*folders: Path) -> Prompts:
    """The prompt files of the folders, read once."""
    return Prompts(*folders)


def render(folder: Path, turn: str, **variables: Any) -> str:
    """The text of one turn of a folder's prompts, see `Prompts.render`."""
    return shipped(folder).render(turn, **variables)


def prompts_fingerprint(folder: Path) -> str:
    """16 hex digits over the names and sources of all prompt files in the folder."""
    return shipped(folder).fingerprint
