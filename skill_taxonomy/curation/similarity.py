"""How alike skills are: by an embedding model where there is one, else by the characters of their words."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from skillmill.data.errors import ConfigError
from skillmill.skill_taxonomy.curation.encoder import Encoder
from skillmill.skill_taxonomy.taxonomy import Skill

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
LEXICAL = "lexical"
LEXICAL_THRESHOLD, EMBEDDING_THRESHOLD = 0.6, 0.8
"""The closest of the built-in skills, which are no duplicates, are 0.595 and, by `DEFAULT_MODEL`, 0.792 alike."""

_NGRAMS = (3, 4)


@dataclass(frozen=True)
class Vectors:
    """`rows`, one of unit length a skill, dense or sparse; what they were `made_by`; alike from the `threshold` on."""

    rows: Any
    made_by: str
    threshold: float


def vectors(skills: Sequence[Skill], model: str | None = None) -> Vectors:
    """Vectors whose dot products are similarities.

    `model` is a sentence-transformers model, or `LEXICAL`. None is `DEFAULT_MODEL` where sentence-transformers is
    installed and finds it, else `LEXICAL`. Raises `ConfigError` where a model that was asked for cannot be had.
    """
    if model != LEXICAL and (model or find_spec("sentence_transformers")):
        found = _embedded(skills, model or DEFAULT_MODEL, asked_for=model is not None)
        if found is not None:
            return found
    return _lexical(skills)


def _lexical(skills: Sequence[Skill]) -> Vectors:
    """Character n-grams of words, weighted by TF-IDF: half the name's, half those of name and definition."""
    from scipy.sparse import csr_matrix, hstack
    from sklearn.feature_extraction.text import TfidfVectorizer  # a second to import, so only here

    def rows(texts: list[str]) -> Any:
        vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=_NGRAMS, sublinear_tf=True, dtype=np.float32)
        return vectorizer.fit_transform(texts)

    names = rows([skill.name for skill in skills])
    texts = rows([_text(skill) for skill in skills])
    half = np.float32(np.sqrt(0.5))
    return Vectors(csr_matrix(hstack([names * half, texts * half])), "character n-grams", LEXICAL_THRESHOLD)


def _embedded(skills: Sequence[Skill], model: str, asked_for: bool) -> Vectors | None:
    try:
        encode = Encoder(model, "--model", f", or --model {LEXICAL}")
    except ConfigError:
        if asked_for:
            raise
        return None
    rows = encode([_text(skill) for skill in skills])
    return Vectors(rows, f"sentence-transformers model {model}", EMBEDDING_THRESHOLD)


def _text(skill: Skill) -> str:
    return f"{skill.name}: {skill.definition}" if skill.definition else skill.name
