"""The settings of a session with the Hub: address and token, time limit, and the messages of `huggingface_hub`."""

import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import yarl
from huggingface_hub import constants, get_token
from huggingface_hub.utils._http import get_session
from huggingface_hub.utils.tqdm import disable_progress_bars

from skillmill.data.errors import ConfigError
from skillmill.data.hub.errors import TOKEN, one_line
from skillmill.data.hub.repository import Repository
from skillmill.data.terminal import shows_progress

log = logging.getLogger(__name__)

TIMEOUT_S = 600.0
"""How long a call waits for the Hub. A commit of many files takes minutes; `huggingface_hub` itself sets no limit."""


def open_repository(repo_id: str, reads_only: bool = False) -> Repository:
    """Return the dataset repository, with the token of the variable HF_TOKEN or of `hf auth login`.

    `reads_only`: it needs no token. Raises `ConfigError` that names the variable if one has a wrong value.
    """
    if constants.is_offline_mode():
        raise ConfigError("HF_HUB_OFFLINE: expected it not to be set, because publishing needs the Hub")
    endpoint = os.environ.get("HF_ENDPOINT") or constants.ENDPOINT
    _check_address(endpoint)
    token = _token()
    if token is None and not reads_only:
        raise ConfigError(f"{TOKEN}: expected a token of the Hub with write access to {repo_id}, in this variable")
    return Repository(repo_id, token, endpoint.rstrip("/"))


@contextmanager
def hub_session(token: str | None) -> Iterator[None]:
    """Limit the time of a call, and log the messages of `huggingface_hub`, each as one line without secrets."""
    get_session().timeout = TIMEOUT_S
    if not shows_progress():
        disable_progress_bars()
    logger, handler = logging.getLogger("huggingface_hub"), _Forward(token)
    handlers, logger.handlers = logger.handlers, [handler]
    try:
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
        for warning in found:
            log.warning(f"publish: {one_line(str(warning.message), token)}")
    finally:
        logger.handlers = handlers


class _Forward(logging.Handler):
    """Logs each record as a message of skillmill."""

    def __init__(self, token: str | None) -> None:
        super().__init__()
        self._token = token

    def emit(self, record: logging.LogRecord) -> None:
        """Log the message without the queries of addresses: one may hold the signature of an upload."""
        log.info(f"publish: {re.sub(r'[?][^ ]+', '', one_line(record.getMessage(), self._token))}")


def _check_address(endpoint: str) -> None:
    try:
        address = yarl.URL(endpoint)
    except ValueError:
        address = yarl.URL()
    if address.scheme not in ("http", "https") or not address.host or address.user or address.password:
        raise ConfigError("HF_ENDPOINT: expected the address of a Hub without a user, such as https://huggingface.co")


def _token() -> str | None:
    """Return the token. Raises `ConfigError` if it has characters that no header may have."""
    token = get_token()
    if token and not re.fullmatch(r"[!-~]+", token):
        raise ConfigError(f"{TOKEN}: expected letters, digits and '_' without spaces, got other characters")
    return token or None
