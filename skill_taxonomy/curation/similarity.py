"""Similarity of skills: by an embedding model if one is available, otherwise by character n-grams."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from skillmill.data.errors import ConfigError
from skillmill.data.text.encoder import Encoder
from skillmill.skill_taxonomy.taxonomy import Skill

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
LEXICAL = "lexical"
"""The model name that selects character n-grams."""

LEXICAL_THRESHOLD, EMBEDDING_THRESHOLD = 0.6, 0.8
"""Similarities from which two skills are duplicates. The most similar built-in skills, which are not duplicates, have
0.595 by character n-grams and 0.792 by `DEFAULT_MODEL`."""

_NGRAM_LENGTHS = (3, 4)


@dataclass(frozen=True)
class SkillVectors:
    """Unit vectors of skills, whose dot products are similarities.

    Attributes:
        rows: A dense or sparse float matrix of shape (skills, size).
        method: How the vectors were computed, for messages.
        threshold: The similarity from which two skills are duplicates by default.
    """

    rows: Any
    method: str
    threshold: float


def skill_vectors(skills: Sequence[Skill], model: str | None = None) -> SkillVectors:
    """Return the vectors of skills.

    `model` is the name of a sentence-transformers model or `LEXICAL`. None selects `DEFAULT_MODEL` if
    sentence-transformers is installed and can load it, otherwise `LEXICAL`. Raises `ConfigError` if the named model
    cannot be loaded.
    """
    if model != LEXICAL and (model or find_spec("sentence_transformers")):
        embedded = _embedded(skills, model or DEFAULT_MODEL, required=model is not None)
        if embedded is not None:
            return embedded
    return _lexical(skills)


def _lexical(skills: Sequence[Skill]) -> SkillVectors:
    """Return TF-IDF vectors of character n-grams: one half from the name, one half from name and definition."""
    from scipy.sparse import csr_matrix, hstack
    from sklearn.feature_extraction.text import TfidfVectorizer  # imported here because it takes a second

    def rows(texts: list[str]) -> Any:
        vectorizer = TfidfVectorizer(
            analyzer="char_wb", ngram_range=_NGRAM_LENGTHS, sublinear_tf=True, dtype=np.float32
        )
        return vectorizer.fit_transform(texts)

    names = rows([skill.name for skill in skills])
    texts = rows([_text(skill) for skill in skills])
    half = np.float32(np.sqrt(0.5))
    return SkillVectors(csr_matrix(hstack([names * half, texts * half])), "character n-grams", LEXICAL_THRESHOLD)


def _embedded(skills: Sequence[Skill], model: str, required: bool) -> SkillVectors | None:
    """Return the vectors of an embedding model; None if it cannot be loaded and is not required."""
    try:
        encode = Encoder(model, "--model", f", or --model {LEXICAL}")
    except ConfigError:
        if required:
            raise
        return None
    rows = encode([_text(skill) for skill in skills])
    return SkillVectors(rows, f"sentence-transformers model {model}", EMBEDDING_THRESHOLD)


def _text(skill: Skill) -> str:
    """Return the name of a skill with its definition, if there is one."""
    return f"{skill.name}: {skill.definition}" if skill.definition else skill.name
