"""Makes `filters/word_vectors.npz` again from a sentence-transformers model, and says how near it is to the one there.

    python benchmarks/word_vectors.py FOLDER [--out NPZ] [--words 16000] [--size 96]

FOLDER holds all-MiniLM-L6-v2 (Apache-2.0). The first words of its vocabulary are embedded one by one, centred, turned
to their principal components, cut to `--size` of them and brought to unit length (Model2Vec's recipe, Minish Lab 2024).
The sign of a component is an accident of the solver and changes no cosine. Six minutes on a busy core.
"""

import argparse
import re
from pathlib import Path

import numpy as np

from skillmill.skill_taxonomy.curation.encoder import Encoder

SHIPPED = Path(__file__).parent.parent / "filters" / "shirker" / "word_vectors.npz"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--words", type=int, default=16_000)
    parser.add_argument("--size", type=int, default=96)
    arguments = parser.parse_args()
    words = first_words((arguments.folder / "vocab.txt").read_text(encoding="utf-8"), arguments.words)
    rows = components(Encoder(str(arguments.folder), "FOLDER")(words), arguments.size)
    print(difference(words, rows))
    if arguments.out:
        np.savez_compressed(arguments.out, words=np.array(" ".join(words)), vectors=rows)
        print(f"{arguments.out}: {len(words):,} words, {arguments.out.stat().st_size:,} bytes")


def first_words(vocabulary: str, count: int) -> list[str]:
    """Whole words of three letters and more; the vocabulary begins with the frequent ones."""
    return [word for word in vocabulary.split() if re.fullmatch(r"[a-z]{3,}", word)][:count]


def components(vectors: np.ndarray, size: int) -> np.ndarray:
    """The vectors (n, m) along their first principal components, of unit length in 8 bits: int8 (n, size)."""
    centred = vectors - vectors.mean(axis=0)
    turned = centred @ np.linalg.svd(centred, full_matrices=False)[2][:size].T
    turned /= np.linalg.norm(turned, axis=1, keepdims=True)
    return np.round(127 * turned).astype(np.int8)


def difference(words: list[str], rows: np.ndarray) -> str:
    """How the rows differ from the shipped ones, once each component has the sign that it has there."""
    with np.load(SHIPPED) as stored:
        known, shipped = str(stored["words"]).split(), stored["vectors"].astype(int)
    if known != words or shipped.shape != rows.shape:
        return f"not comparable with {SHIPPED.name}: other words or another size"
    signs = np.sign((shipped * rows).sum(axis=0))
    apart = np.abs(shipped - rows * signs)
    return f"{(apart > 0).sum():,} of {apart.size:,} numbers differ from {SHIPPED.name}, by {apart.max()} at most"


if __name__ == "__main__":
    main()
