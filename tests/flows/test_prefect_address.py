"""The address of Prefect's server is that of the environment variable or of the active profile, as Prefect finds it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from skillmill.flows.prefect_address import prefect_address

PROFILES = """
active = "chosen"

[profiles.chosen]
PREFECT_API_URL = "http://chosen/api"

[profiles.other]
PREFECT_API_URL = "http://other/api"

[profiles.none]
PREFECT_SERVER_ALLOW_EPHEMERAL_MODE = "true"
"""

CASES = [
    (PROFILES, {}, "http://chosen/api"),
    (PROFILES, {"PREFECT_PROFILE": "other"}, "http://other/api"),
    (PROFILES, {"PREFECT_PROFILE": "none"}, None),
    (PROFILES, {"PREFECT_API_URL": "http://variable/api"}, "http://variable/api"),
    (PROFILES.replace('"chosen"', '"none"', 1), {}, None),
    ("", {}, None),
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(("profiles", "environment", "address"), CASES)
def test_the_address(
    home: Path, monkeypatch: pytest.MonkeyPatch, profiles: str, environment: dict[str, str], address: str | None
) -> None:
    (home / "profiles.toml").write_text(profiles)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert prefect_address() == address


@pytest.mark.server
@pytest.mark.parametrize(("profiles", "environment", "address"), CASES[:5])
def test_prefect_finds_the_same(home: Path, profiles: str, environment: dict[str, str], address: str | None) -> None:
    (home / "profiles.toml").write_text(profiles)
    code = "from prefect.settings import PREFECT_API_URL; print(PREFECT_API_URL.value())"
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, env={**os.environ, **environment}, cwd=home, capture_output=True, text=True)
    assert found.stdout.strip() == str(address), found.stderr


def test_an_empty_variable_turns_the_profile_off(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "profiles.toml").write_text(PROFILES)
    monkeypatch.setenv("PREFECT_API_URL", "")
    assert prefect_address() is None


@pytest.mark.parametrize(
    "profiles", ["active = ", "active = 3", 'active = "a"\nprofiles = 7', '[profiles]\na = "b"', None]
)
def test_a_damaged_or_missing_file_has_no_address(home: Path, profiles: str | None) -> None:
    if profiles is not None:
        (home / "profiles.toml").write_text(profiles)
    assert prefect_address() is None
