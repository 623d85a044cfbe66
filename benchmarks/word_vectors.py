"""Makes `filters/word_vectors.npz` again from a sentence-transformers model.

    python benchmarks/word_vectors.py FOLDER [--words 16000] [--size 96]

FOLDER holds all-MiniLM-L6-v2 (Apache-2.0). The first words of its vocabulary are embedded one by one, centred, turned
to their principal components, cut to `--size` of them and brought to unit length (Model2Vec's recipe, Minish Lab 2024).
"""

import argparse
import re
from pathlib import Path

import numpy as np

from skillmill.skill_taxonomy.encoder import Encoder


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--words", type=int, default=16_000)
    parser.add_argument("--size", type=int, default=96)
    arguments = parser.parse_args()
    vocabulary = (arguments.folder / "vocab.txt").read_text(encoding="utf-8").split()
    words = [word for word in vocabulary if re.fullmatch(r"[a-z]{3,}", word)][: arguments.words]
    vectors = Encoder(str(arguments.folder), "FOLDER")(words)
    vectors -= vectors.mean(axis=0)
    components = np.linalg.svd(vectors, full_matrices=False)[2][: arguments.size]
    turned = vectors @ components.T
    turned /= np.linalg.norm(turned, axis=1, keepdims=True)
    rows = np.round(127 * turned).astype(np.int8)
    out = Path(__file__).parent.parent / "filters" / "word_vectors.npz"
    np.savez_compressed(out, words=np.array(" ".join(words)), vectors=rows)
    print(f"{out}: {len(words):,} words of {arguments.size} numbers, {out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
