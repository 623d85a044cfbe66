"""Prompts: Jinja files in a `prompts/` folder beside the code that renders them.

Text from a model is passed as a variable and is never rendered as a template.
"""

import hashlib
from functools import cache, cached_property
from pathlib import Path

from jinja2 import DictLoader, StrictUndefined, TemplateError, TemplateNotFound
from jinja2.lexer import TOKEN_COMMENT, TOKEN_COMMENT_BEGIN, TOKEN_COMMENT_END
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment

from skillmill.data.errors import ConfigError

COMMENT = frozenset({TOKEN_COMMENT_BEGIN, TOKEN_COMMENT, TOKEN_COMMENT_END})
"""Jinja's tokens of a comment. Comments are not rendered, so a change to them must not change the plan."""


class Prompts:
    """The `<turn>.jinja` files of the folders; files of the user's folder `own` replace those with the same name.

    All files are read on creation, so the fingerprint fits the rendered prompts even if a file changes during a run.
    `key` is the key of the configuration that names `own`, for error messages.
    Raises `ConfigError` if a user's file replaces no shipped prompt, is not a template, or has a variable that no
    shipped prompt has.
    """

    def __init__(self, *folders: Path, own: Path | None = None, key: str = "generation.prompts") -> None:
        self._folder = folders[0]
        self._paths = {path.name: path for folder in folders for path in sorted(folder.glob("*.jinja"))}
        replaced = _user_files(own, list(self._paths), key) if own else {}
        self._sources = {name: path.read_text(encoding="utf-8") for name, path in self._paths.items()}
        # No HTML escaping: prompts are plain text, and escaping would put &quot; into the data.
        self._environment = ImmutableSandboxedEnvironment(
            loader=DictLoader(self._sources),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        known = self._variables(list(self._paths)) if replaced else set()
        self._paths.update(replaced)
        self._sources.update({name: _text(path, key) for name, path in replaced.items()})
        for name, path in replaced.items():
            for variable in sorted(self._variables([name]) - known):
                raise ConfigError(f"{path}: unknown variable {variable}, expected of {', '.join(sorted(known))}")

    @cached_property
    def fingerprint(self) -> str:
        """A hash of 16 hex digits over the names and sources of all prompt files without their comments.

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
        """Return the file of a turn's prompt, for error messages."""
        return self._paths.get(f"{turn}.jinja", self._folder / f"{turn}.jinja")

    def render(self, turn: str, **variables: object) -> str:
        """Return the text of one turn's prompt, without white space at both ends.

        Raises `ConfigError` if there is no such prompt, a variable is undefined, or rendering fails.
        """
        try:
            return self._environment.get_template(f"{turn}.jinja").render(**variables).strip()
        except TemplateNotFound as error:
            raise ConfigError(f"{self.path(turn)}: there is no prompt {error.name}") from None
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, RuntimeError) as error:
            raise ConfigError(f"{self.path(turn)}: {_one_line(error)}") from None

    def _variables(self, names: list[str]) -> set[str]:
        """Return the names of all variables that must be passed to the templates."""
        variables = set[str]()
        for name in names:
            try:
                variables |= find_undeclared_variables(self._environment.parse(self._sources[name]))
            except TemplateError as error:
                raise ConfigError(f"{self._paths[name]}: not a Jinja template: {_one_line(error)}") from None
        return variables


def _user_files(own: Path, known: list[str], key: str) -> dict[str, Path]:
    """Return the prompt files in a user's folder by name, without hidden files.

    Raises `ConfigError` if the folder cannot be read or a file replaces no shipped prompt.
    """
    try:
        paths = [path for path in sorted(own.iterdir()) if not path.name.startswith(".")]
    except OSError as error:
        raise ConfigError(f"{key}: cannot read the folder {own}: {error.strerror}") from None
    for path in paths:
        if path.name not in known:
            raise ConfigError(f"{key}: {path} replaces no prompt, expected one of {', '.join(known)}")
    return {path.name: path for path in paths}


def _text(path: Path, key: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{key}: cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{key}: {path} is not UTF-8 text") from None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


@cache
def shipped(*folders: Path) -> Prompts:
    """Return the shipped prompts of the folders, which are read once."""
    return Prompts(*folders)


def chosen_prompts(*folders: Path, own: str | None, key: str = "generation.prompts") -> Prompts:
    """Return the shipped prompts of the folders, with the files of the user's folder `own`, if any, in their place.

    `key` is the key of the configuration that names `own`. Raises `ConfigError` as `Prompts` does.
    """
    return Prompts(*folders, own=Path(own), key=key) if own else shipped(*folders)


def render(folder: Path, turn: str, **variables: object) -> str:
    """Return the text of one turn's prompt in a folder of shipped prompts, as `Prompts.render` does."""
    return shipped(folder).render(turn, **variables)


def prompts_fingerprint(folder: Path) -> str:
    """Return the fingerprint of the shipped prompts in a folder, see `Prompts.fingerprint`."""
    return shipped(folder).fingerprint
