"""What a teacher is shown beside a question: skills to start from, and excerpts of the user's own documents."""

import random
from dataclasses import dataclass
from pathlib import Path

from skillmill.data.errors import ConfigError
from skillmill.skill_taxonomy.cells import derived_seed
from skillmill.skill_taxonomy.extraction.asking import prompt
from skillmill.skill_taxonomy.formats import load_taxonomy
from skillmill.skill_taxonomy.sources import TaxonomyConfig
from skillmill.skill_taxonomy.taxonomy import Skill

EXCERPT_CHARS = 1000
"""Of a document in one question: some 250 tokens, which leaves a small model room. Each call sees another place."""
SEEDS_SHOWN = 5
GENERAL = "general"


@dataclass(frozen=True)
class Context:
    """`skills` come into the taxonomy; a question shows a few of them, and an excerpt of one of the `documents`."""

    skills: tuple[Skill, ...] = ()
    documents: tuple[Path, ...] = ()

    def before(self, question: str, seed: int, *place: object) -> str:
        """The question, behind what this call is shown; the question alone where there is nothing to show."""
        dice = random.Random(derived_seed(seed, "context", *place))  # noqa: S311 (no secret)
        shown = dice.sample([skill.name for skill in self.skills], min(SEEDS_SHOWN, len(self.skills)))
        text = _excerpt(dice.choice(self.documents), dice) if self.documents else ""
        return f"{prompt('context', text=text, skills=shown)}\n\n{question}" if shown or text else question

    def __bool__(self) -> bool:
        return bool(self.skills or self.documents)


def read_context(config: TaxonomyConfig) -> Context:
    """The seed skills and documents of a configuration.

    Raises `ConfigError` for a taxonomy file that is none and for a document that is missing, empty or no text.
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
    try:
        with path.open("rb") as file:
            start = file.read(4 * EXCERPT_CHARS)
    except OSError as error:
        raise ConfigError(f"taxonomy.documents: cannot read {path}: {error.strerror}") from None
    if not start.strip():
        raise ConfigError(f"taxonomy.documents: {path} is empty")
    if b"\0" in start:
        raise ConfigError(f"taxonomy.documents: {path} is no text file; make it plain text first")


def _excerpt(path: Path, dice: random.Random) -> str:
    """Whole words from a random place of a file of any size; bytes that are no UTF-8 fall out."""
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            start = dice.randrange(max(1, size - EXCERPT_CHARS))
            file.seek(start)
            text = file.read(4 * EXCERPT_CHARS).decode("utf-8", "ignore")[:EXCERPT_CHARS]
    except OSError as error:
        raise ConfigError(f"taxonomy.documents: cannot read {path}: {error.strerror}") from None
    inner = text.split(maxsplit=1)[1:] if start else [text]  # what begins in the middle of a word is no word
    return " ".join("".join(inner).split())
