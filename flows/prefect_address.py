"""The address of Prefect's server, found without importing Prefect, which takes seconds."""

import os
import tomllib
from pathlib import Path

VARIABLE = "PREFECT_API_URL"


def prefect_address() -> str | None:
    """Return the API URL that Prefect would use, None if none is set.

    It is the environment variable PREFECT_API_URL or that of the active profile. An empty variable means none, whatever
    the profile has.
    """
    url = os.environ.get(VARIABLE, _of_profile())
    return url or None


def _of_profile() -> str | None:
    """Return the URL of the active profile: PREFECT_PROFILE, or the one that `prefect profile use` chose."""
    home = Path(os.environ.get("PREFECT_HOME") or "~/.prefect").expanduser()
    path = Path(os.environ.get("PREFECT_PROFILES_PATH") or home / "profiles.toml").expanduser()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        profile = content["profiles"][os.environ.get("PREFECT_PROFILE") or content["active"]]
        url = profile[VARIABLE]
    except (OSError, ValueError, KeyError, TypeError):  # Prefect itself complains of a damaged file
        return None
    return url if isinstance(url, str) else None
