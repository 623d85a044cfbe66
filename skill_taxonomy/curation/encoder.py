"""Embedding models: sentence-transformers, of the extra `embeddings`."""

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

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
            self._model = _loaded(SentenceTransformer, model)
        except (OSError, ValueError) as error:  # no such model, no network
            raise ConfigError(f"{option} {model}: cannot be loaded: {str(error).splitlines()[0]}") from None

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """One row of unit length a text, float32 (n, size)."""
        rows = self._model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(rows, np.float32)


def _loaded(kind: Any, model: str) -> Any:
    """The model out of the cache or its folder, else from the hub. Raises OSError or ValueError."""
    try:
        return kind(model, local_files_only=True)
    except (OSError, ValueError):
        if Path(model).exists():
            raise
    _reach_hub()
    return kind(model)


def _reach_hub() -> None:
    """Raises OSError where there is no way to the hub: its own client tries for a minute, and says so each time."""
    from huggingface_hub import constants

    address = urlsplit(constants.ENDPOINT)
    if constants.HF_HUB_OFFLINE:
        raise OSError("it is not in the cache, and HF_HUB_OFFLINE is set")
    if {address.scheme, "all"} & getproxies().keys():
        return  # a proxy knows the way
    try:
        socket.create_connection((address.hostname, address.port or 443), timeout=5).close()
    except OSError as error:
        raise OSError(f"it is not in the cache, and {constants.ENDPOINT} cannot be reached ({error})") from None
