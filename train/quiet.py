"""Training libraries without network access and without output on the terminal."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Self

from skillmill.data.errors import ConfigError
from skillmill.data.terminal import shows_progress

ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",  # otherwise tokenizers warns at every fork
}
OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")
"""The variables, and values of modules, that forbid access to the hub."""


def require_extra() -> None:
    """Import the packages of the extra `train`. Raises `ConfigError` if they are not installed."""
    # OpenMP reads the policy when torch is imported. By default, threads spin at every barrier: a step on two busy
    # cores then took 14 to 43 s instead of 8 to 10 s, with five times the CPU time and the same losses.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        import accelerate  # noqa: F401
        import peft  # noqa: F401
        import transformers  # noqa: F401
        import trl  # noqa: F401
    except ImportError as error:
        raise ConfigError('train: needs the extra: pip install "skillmill[train]"') from error


@contextmanager
def offline_and_quiet() -> Iterator[None]:
    """Disable hub access, telemetry, warnings, logs below ERROR, and progress bars if there is no terminal.

    All of it is process-wide and is restored at the end, because an export in the same process may publish to the hub
    afterwards. Not reentrant.
    """
    # These modules read the environment at import, so they are imported before it changes.
    import datasets
    import huggingface_hub.constants

    with (
        environment(ENVIRONMENT),
        _attributes(huggingface_hub.constants, HF_HUB_OFFLINE=True, HF_HUB_DISABLE_TELEMETRY=True),
        _attributes(datasets.config, HF_HUB_OFFLINE=True, HF_DATASETS_OFFLINE=True),
        _levels("trl", "accelerate", "datasets", "peft", "transformers"),
        _no_progress_bars() if not shows_progress() else nullcontext(),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


@dataclass(frozen=True)
class Network:
    """An access to the hub, for use inside `offline_and_quiet`.

    `variables`: environment variables. `hub` and `datasets`: the values of the modules that read them at import.
    """

    variables: dict[str, str]
    hub: dict[str, bool]
    datasets: dict[str, bool]

    @classmethod
    def as_now(cls) -> Self:
        """Return the access of this moment."""
        import datasets
        import huggingface_hub.constants as constants

        def values_of(module: Any) -> dict[str, bool]:
            return {name: getattr(module, name) for name in OFFLINE if hasattr(module, name)}

        variables = {name: os.environ.get(name, "0") for name in OFFLINE}
        return cls(variables, values_of(constants), values_of(datasets.config))

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Have this access in the block."""
        import datasets
        import huggingface_hub.constants as constants

        with (
            environment(self.variables),
            _attributes(constants, **self.hub),
            _attributes(datasets.config, **self.datasets),
        ):
            yield


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    import datasets
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )
    from transformers.utils import logging as transformers_logging

    bars = [
        (not are_progress_bars_disabled(), disable_progress_bars, enable_progress_bars),
        (
            not datasets.are_progress_bars_disabled(),
            datasets.disable_progress_bars,
            datasets.enable_progress_bars,
        ),
        (
            transformers_logging.is_progress_bar_enabled(),
            transformers_logging.disable_progress_bar,
            transformers_logging.enable_progress_bar,
        ),
    ]
    for _, disable, _ in bars:
        disable()
    try:
        yield
    finally:
        for was_enabled, _, enable in bars:
            if was_enabled:
                enable()


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """Set environment variables, and restore their values at the end."""
    before = {key: os.environ.get(key) for key in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


@contextmanager
def _attributes(module: Any, **values: Any) -> Iterator[None]:
    before = {key: getattr(module, key) for key in values if hasattr(module, key)}
    for key in before:
        setattr(module, key, values[key])
    try:
        yield
    finally:
        for key, value in before.items():
            setattr(module, key, value)


@contextmanager
def _levels(*names: str) -> Iterator[None]:
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
