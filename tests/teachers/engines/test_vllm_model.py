"""The model of the engine `vllm` and its name; no test needs vLLM."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from skillmill.data.errors import ConfigError, TeacherError
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.engines.vllm_process.model import vllm_model, vllm_name
from skillmill.teachers.engines.vllm_process.start import engine_failure, import_vllm, log_path


def saved(folder: Path, weights: bytes = b"weights", config: str = "config.json") -> Path:
    folder.mkdir(parents=True)
    (folder / config).write_text("{}")
    (folder / "model.safetensors").write_bytes(weights)
    return folder


def test_the_name_is_that_of_the_content_wherever_it_lies(tmp_path: Path) -> None:
    here, there = saved(tmp_path / "here" / "mine"), saved(tmp_path / "there" / "mine")
    (there / "README.md").write_text("about it")
    assert vllm_name(str(here), {}) == vllm_name(str(there), {})
    assert vllm_name(str(here), {}).startswith("vllm:mine-")
    assert vllm_model(str(here)) == str(here)
    assert vllm_name("Qwen/Qwen3-32B", {"max_model_len": 4096}) == "vllm:Qwen/Qwen3-32B"
    assert vllm_name(None, {}) == "vllm:SmolLM2-135M-Instruct-b179c952"


@pytest.mark.parametrize("at", [0, 20_000_000, 39_999_999])
def test_other_weights_of_the_same_size_have_another_name(tmp_path: Path, at: int) -> None:
    """Training changes every tensor, so some of the blocks that are hashed in a large file always change."""
    plain = bytearray(40_000_000)
    trained = plain.copy()
    begin = min(at, len(plain) - 1_000_000)
    trained[begin : begin + 1_000_000] = b"\1" * 1_000_000
    before, after = saved(tmp_path / "a" / "m", bytes(plain)), saved(tmp_path / "b" / "m", bytes(trained))
    assert vllm_name(str(before), {}) != vllm_name(str(after), {})


def test_an_adapter_is_part_of_the_name(tmp_path: Path) -> None:
    adapter = saved(tmp_path / "sft", config="adapter_config.json")
    name = vllm_name("Qwen/Qwen3-32B", {"lora": str(adapter)})
    assert name.startswith("vllm:Qwen/Qwen3-32B+sft-")


def test_a_path_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    with pytest.raises(TeacherError, match=r"^teacher\.model: \S+ holds no config\.json, expected a folder"):
        vllm_model(str(tmp_path))
    with pytest.raises(TeacherError, match=r"^teacher\.engine_args\.lora: \S+ holds no adapter_config\.json"):
        vllm_name(None, {"lora": str(tmp_path)})


def test_paths_of_a_configuration_are_relative_to_it(tmp_path: Path) -> None:
    saved(tmp_path / "mine")
    config = TeacherConfig(kind="vllm", model="mine", engine_args={"lora": "sft", "seed": 1}).relative_to(tmp_path)
    assert config.model == str(tmp_path / "mine")
    assert config.engine_args == {"lora": str(tmp_path / "sft"), "seed": 1}
    assert TeacherConfig(kind="vllm", model="Qwen/Qwen3-32B").relative_to(tmp_path).model == "Qwen/Qwen3-32B"


def test_why_an_engine_failed_is_found_in_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKILLMILL_CACHE", str(tmp_path))
    earlier = "RuntimeError: of an earlier run\n"
    log_path().write_text(
        earlier + "(EngineCore pid=7) INFO 11-24 [core.py:1] loading\n"
        "(Worker pid=8) ERROR 11-24 02:03:44 [executor.py:1063] torch.OutOfMemoryError: CUDA out of memory.\n"
        "RuntimeError: Engine core initialization failed.\n"
    )
    failure = engine_failure("cannot start", len(earlier), RuntimeError("see above"))
    assert str(failure) == (
        f"vllm: the engine cannot start (OutOfMemoryError: CUDA out of memory.); its log is {log_path()}"
    )


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is installed")
def test_a_missing_vllm_is_one_line_that_says_what_to_do() -> None:
    with pytest.raises(ConfigError) as caught:
        import_vllm()
    assert str(caught.value) == 'teacher.kind: vllm needs pip install "skillmill[vllm]"'
