"""Rebuild the word vectors of the shirker score from a sentence-transformers model; compare them with those shipped.

    python benchmarks/word_vectors.py FOLDER [--out NPZ] [--words 16000] [--size 96]

FOLDER holds all-MiniLM-L6-v2 (Apache-2.0). The first words of its vocabulary are embedded one by one, centred,
projected to their first `--size` principal components and normalised to unit length (the method of Model2Vec, Minish
Lab 2024). The sign of a component depends on the solver and does not change any cosine. It takes six minutes on one
core.
"""

import argparse
import re
from pathlib import Path

import numpy as np

from skillmill.data.text.encoder import Encoder

SHIPPED = Path(__file__).parent.parent / "filters" / "shirker" / "features" / "word_vectors.npz"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--words", type=int, default=16_000)
    parser.add_argument("--size", type=int, default=96)
    arguments = parser.parse_args()
    words = first_words((arguments.folder / "vocab.txt").read_text(encoding="utf-8"), arguments.words)
    rows = components(Encoder(str(arguments.folder), "FOLDER")(words), arguments.size)
    print(comparison(words, rows))
    if arguments.out:
        np.savez_compressed(arguments.out, words=np.array(" ".join(words)), vectors=rows)
        print(f"{arguments.out}: {len(words):,} words, {arguments.out.stat().st_size:,} bytes")


def first_words(vocabulary: str, count: int) -> list[str]:
    """Return the first `count` whole words with at least three letters; the vocabulary is ordered by frequency."""
    return [word for word in vocabulary.split() if re.fullmatch(r"[a-z]{3,}", word)][:count]


def components(vectors: np.ndarray, size: int) -> np.ndarray:
    """Return float vectors (n, m) as unit vectors (n, size) of their first principal components, scaled to int8."""
    centred = vectors - vectors.mean(axis=0)
    projected = centred @ np.linalg.svd(centred, full_matrices=False)[2][:size].T
    projected /= np.linalg.norm(projected, axis=1, keepdims=True)
    rounded: np.ndarray = np.round(127 * projected).astype(np.int8)
    return rounded


def comparison(words: list[str], rows: np.ndarray) -> str:
    """Return how many numbers differ from the shipped ones, after the signs of the components are aligned."""
    with np.load(SHIPPED) as stored:
        shipped_words, shipped = str(stored["words"]).split(), stored["vectors"].astype(int)
    if shipped_words != words or shipped.shape != rows.shape:
        return f"not comparable with {SHIPPED.name}: other words or another size"
    signs = np.sign((shipped * rows).sum(axis=0))
    difference = np.abs(shipped - rows * signs)
    changed, count, most = (difference > 0).sum(), difference.size, difference.max()
    return f"{changed:,} of {count:,} numbers differ from {SHIPPED.name}, by {most} at most"


if __name__ == "__main__":
    main()
