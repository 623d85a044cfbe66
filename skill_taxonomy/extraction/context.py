"""The context of a question to the teacher: seed skills, and excerpts of user-supplied documents."""

import random
from dataclasses import dataclass
from pathlib import Path

from skillmill.data.errors import ConfigError
from skillmill.skill_taxonomy.cells import derived_seed
from skillmill.skill_taxonomy.extraction.requests import prompt
from skillmill.skill_taxonomy.formats import load_taxonomy
from skillmill.skill_taxonomy.sources import TaxonomyConfig
from skillmill.skill_taxonomy.taxonomy import Skill

EXCERPT_CHARS = 1000
"""The length of an excerpt: some 250 tokens, which leaves room in the context window of a small model."""
SEEDS_SHOWN = 5
"""The number of seed skills in one question."""

GENERAL = "general"
"""The category of skills that belong to no topic or domain."""


@dataclass(frozen=True)
class Context:
    """Seed skills and documents of an extraction.

    Attributes:
        skills: Skills that become part of the taxonomy; a question shows `SEEDS_SHOWN` of them.
        documents: Text files; a question shows an excerpt of one of them.
    """

    skills: tuple[Skill, ...] = ()
    documents: tuple[Path, ...] = ()

    def before(self, question: str, seed: int, *place: object) -> str:
        """Return the question, preceded by seed skills and an excerpt that are drawn for the request at `place`.

        The question is returned unchanged if there are neither skills nor documents.
        """
        rng = random.Random(derived_seed(seed, "context", *place))  # noqa: S311 (no secret)
        shown = rng.sample([skill.name for skill in self.skills], min(SEEDS_SHOWN, len(self.skills)))
        text = _excerpt(rng.choice(self.documents), rng) if self.documents else ""
        return f"{prompt('context', text=text, skills=shown)}\n\n{question}" if shown or text else question

    def material(self) -> list[str]:
        """Return the names of the seed skills and an excerpt of each document."""
        rng = random.Random(0)  # noqa: S311 (no secret)
        return [skill.name for skill in self.skills] + [_excerpt(path, rng) for path in self.documents]

    def __bool__(self) -> bool:
        return bool(self.skills or self.documents)


def read_context(config: TaxonomyConfig) -> Context:
    """Return the seed skills and documents of a configuration.

    Raises `ConfigError` for an invalid taxonomy file, and for a document that is missing, empty or not text.
    """
    seeds = config.seed_skills
    if isinstance(seeds, str):
        skills = load_taxonomy(Path(seeds)).skills
    else:
        skills = tuple(Skill(name=name, category=config.domain or GENERAL) for name in dict.fromkeys(seeds))
    documents = tuple(map(Path, config.documents))
    for path in documents:
        _check_text(path)
    return Context(skills, documents)


def _check_text(path: Path) -> None:
    """Raise `ConfigError` if a document cannot be read, is empty or contains NUL bytes."""
    try:
        with path.open("rb") as file:
            start = file.read(4 * EXCERPT_CHARS)
    except OSError as error:
        raise ConfigError(f"taxonomy.documents: cannot read {path}: {error.strerror}") from None
    if not start.strip():
        raise ConfigError(f"taxonomy.documents: {path} is empty")
    if b"\0" in start:
        raise ConfigError(f"taxonomy.documents: {path} is no text file; make it plain text first")


def _excerpt(path: Path, rng: random.Random) -> str:
    """Return whole words from a random place of a file of any size, without bytes that are not UTF-8."""
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            start = rng.randrange(max(1, size - EXCERPT_CHARS))
            file.seek(start)
            text = file.read(4 * EXCERPT_CHARS).decode("utf-8", "ignore")[:EXCERPT_CHARS]
    except OSError as error:
        raise ConfigError(f"taxonomy.documents: cannot read {path}: {error.strerror}") from None
    inner = text.split(maxsplit=1)[1:] if start else [text]  # the first word may be cut
    return " ".join("".join(inner).split())
