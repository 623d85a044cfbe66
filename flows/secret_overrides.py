"""Overrides that may hold a secret are refused for Prefect: its server shows the parameters of a run to everybody."""

import re
from collections.abc import Iterable, Iterator

from skillmill.data.errors import ConfigError
from skillmill.data.inputs.yaml_file import read_yaml

_SECRET_KEYS = re.compile(
    r"(?:^|[^a-z])(?:api_?)?(?:key|token|secret|passw(?:or)?d|credentials?|auth|authorization|cookie|headers)(?:$|[^a-z])"
)
_HARMLESS_KEYS = re.compile(r"_env$|(?:^|_)(?:pad|eos|bos|unk|mask|sep|cls|stop|image)_token$")
_SECRET_TEXTS = re.compile(
    r"://[^/\s@]*@"  # user and password in an address
    r"|[?&](?:[a-z_-]*key|[a-z_-]*token|sig|code|secret|password)="
    r"|\b(?:bearer|basic)\s+[^\s$]"
    r"|(?:api[_-]?key|token|secret|password)[\"']?[\s=:]+[\"']?[^\s$\"']"  # in a command: --api-key X, HF_TOKEN=X
    r"|\b(?:sk|hf|gsk|xai|ghp|pk)[-_][a-z0-9_-]{8}",
    re.IGNORECASE,
)


def refuse_secrets(overrides: Iterable[str]) -> None:
    """Raise `ConfigError` for an override with a key or a value that may hold a secret; the value is not shown.

    Headers count as secrets. So do keys named like one (`extra_body.api_key`), addresses with a password or a key, and
    commands that set one. `api_key_env` holds the name of a variable and is allowed.
    """
    for override in overrides:
        path, _, text = override.partition("=")
        if any(_is_secret(key, value) for key, value in _leaves(path.strip(), _value(text))):
            raise ConfigError(
                f"--set {path.strip()}: the value may be a secret, and Prefect's server shows the parameters "
                "of a run: expected it in the configuration file, or in a variable (api_key_env)"
            )


def _value(text: str) -> object:
    try:
        return read_yaml(text, "")
    except ConfigError:
        return text


def _leaves(path: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(f"{path}.{key}", inner)
    elif isinstance(value, list) and value:
        for inner in value:
            yield from _leaves(path, inner)
    else:
        yield path, value


def _is_secret(path: str, value: object) -> bool:
    if value is None or isinstance(value, bool) or value in ("", {}, []):
        return False
    keys = (re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).lower() for key in path.split("."))
    if any(_SECRET_KEYS.search(key) and not _HARMLESS_KEYS.search(key) for key in keys):
        return True
    return isinstance(value, str) and bool(_SECRET_TEXTS.search(value))
