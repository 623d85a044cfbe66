"""Embedding models: sentence-transformers, of the extra `embeddings`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from skillmill.data.errors import ConfigError


class Encoder:
    """A sentence-transformers model by its name or folder.

    Raises `ConfigError` where it cannot be had. `option` is what asked for it, for the message; `instead`, what else
    would do.
    """

    def __init__(self, model: str, option: str, instead: str = "") -> None:
        try:
            from sentence_transformers import SentenceTransformer
            from transformers.utils.logging import disable_progress_bar
        except ImportError:
            raise ConfigError(
                f"{option} {model}: sentence-transformers is not installed: "
                f"pip install 'skillmill[embeddings]'{instead}"
            ) from None
        disable_progress_bar()
        try:
            self._model: Any = SentenceTransformer(model)
        except (OSError, ValueError) as error:  # no such model, no network
            raise ConfigError(f"{option} {model}: cannot be loaded: {str(error).splitlines()[0]}") from None

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """One row of unit length a text, float32 (n, size)."""
        rows = self._model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(rows, np.float32)
