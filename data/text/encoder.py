"""Embeddings of texts by a sentence-transformers model, which the extra `embeddings` installs."""

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import numpy as np

from skillmill.data.errors import ConfigError


class Encoder:
    """A loaded sentence-transformers model.

    Args:
        model: The name of a model on the Hugging Face hub, or a local folder.
        option: The option or configuration key that names the model, for error messages.
        instead: The end of the error message for a missing package, which names an alternative.

    Raises `ConfigError` if sentence-transformers is not installed or the model cannot be loaded.
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
        except (OSError, ValueError) as error:  # unknown model or no network
            raise ConfigError(f"{option} {model}: cannot be loaded: {str(error).splitlines()[0]}") from None

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Return one unit vector per text, float32 of shape (n, size)."""
        rows = self._model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(rows, np.float32)


def _loaded(kind: Any, model: str) -> Any:
    """Return the model from its folder or the cache, otherwise from the hub. Raises `OSError` or `ValueError`."""
    try:
        return kind(model, local_files_only=True)
    except (OSError, ValueError):
        if Path(model).exists():
            raise
    _check_hub_reachable()
    return kind(model)


def _check_hub_reachable() -> None:
    """Raise `OSError` if the hub cannot be reached; the hub's client would retry for a minute and log each attempt."""
    from huggingface_hub import constants

    address = urlsplit(constants.ENDPOINT)
    if constants.HF_HUB_OFFLINE:
        raise OSError("it is not in the cache, and HF_HUB_OFFLINE is set")
    if {address.scheme, "all"} & getproxies().keys():
        return  # a direct connection may be impossible although the proxy reaches the hub
    try:
        socket.create_connection((address.hostname, address.port or 443), timeout=5).close()
    except OSError as error:
        raise OSError(f"it is not in the cache, and {constants.ENDPOINT} cannot be reached ({error})") from None
