"""The exported student answers as the trained one does: merged weights in transformers, GGUF in llama.cpp."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from operator import eq
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from skillmill.data.errors import ConfigError
from skillmill.teachers.base import Request, Sampling
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.embedded_model.safetensors import embedded_safetensors
from skillmill.teachers.embedded_model.weights import engine_weights
from skillmill.teachers.engines.embedded import Embedded
from skillmill.teachers.engines.openai import OpenAI
from skillmill.train.config import TrainConfig
from skillmill.train.export.gguf_file import tensors_of, tokenizer_fields, write_gguf
from skillmill.train.export.student import export_student
from skillmill.train.methods.sft import train_sft
from skillmill.train.quiet import require_extra

from ..conftest import write_dataset
from ..tiny_students import write_small_student, write_student

pytestmark = [pytest.mark.train, pytest.mark.model]

SETTINGS = {
    "lora": {"r": 16, "alpha": 32},
    "args": {"max_steps": 2, "max_length": 256, "gradient_accumulation_steps": 1, "learning_rate": 1e-2},
}
KEY = "key-of-llama-cpp"
ASKED = ("fig", "plum", "melon")
LIKENESS = 9
"""The least number of leading characters, over three answers, that two forms of a model of random weights share.

Weights of 8 bits are rounded, and one other token changes all that follow. Other weights share none.
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainConfig, Path]:
    """A trained student, exported in all formats."""
    require_extra()
    folder = tmp_path_factory.mktemp("trained")
    student = write_small_student(folder / "base")
    config = TrainConfig.model_validate({"student": str(student), "sft": SETTINGS})
    train_sft(config, write_dataset(folder / "export", rows=8, pairs=1), folder / "train" / "sft", 1)
    export_student(config, folder / "train", ["adapter", "merged", "gguf"])
    return config, folder / "train"


def question(fruit: str) -> list[Any]:
    return [{"role": "user", "content": f"Name the colour of a {fruit}."}]


def answers_of_transformers(folder: Path, adapter: bool = False) -> list[str]:
    import peft
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = (peft.AutoPeftModelForCausalLM if adapter else AutoModelForCausalLM).from_pretrained(folder)
    answers = []
    for fruit in ASKED:
        ids = tokenizer.apply_chat_template(question(fruit), add_generation_prompt=True, return_tensors="pt")
        made = model.generate(**ids, max_new_tokens=24, do_sample=False)[0, ids["input_ids"].shape[1] :]
        answers.append(tokenizer.decode(made, skip_special_tokens=True))
    return answers


def likeness(answers: list[str], others: list[str]) -> int:
    same = (takewhile(bool, map(eq, *pair)) for pair in zip(answers, others, strict=True))
    return sum(1 for pair in same for _ in pair)


@contextmanager
def llama_cpp(file: Path) -> Iterator[Embedded]:
    engine = Embedded(str(file), 2, {"n_ctx": 1024, "api_keys": [KEY]})
    try:
        yield engine
    finally:
        engine.close()


async def answers_of(teacher: Embedded | OpenAI) -> list[str]:
    sampling = Sampling(max_tokens=24, temperature=0.0)
    return [(await teacher.chat(Request(question(fruit), sampling, 1))).text for fruit in ASKED]


def answers_of_llama_cpp(file: Path) -> list[str]:
    with llama_cpp(file) as engine:
        return asyncio.run(answers_of(engine))


async def answers_over_http(address: str) -> list[str]:
    teacher = OpenAI(TeacherConfig(kind="openai", base_url=f"{address}/v1", model="student", api_key_env="STUDENT_KEY"))
    try:
        return await answers_of(teacher)
    finally:
        await teacher.close()


def test_merged_weights_and_gguf_answer_as_the_adapter_does(
    results: tuple[TrainConfig, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUDENT_KEY", KEY)
    student, base = results[1] / "student", Path(str(results[0].student))
    taught = answers_of_transformers(results[1] / "sft", adapter=True)
    assert answers_of_transformers(student / "adapter", adapter=True) == taught
    assert likeness(answers_of_transformers(student / "merged"), taught) >= LIKENESS
    with llama_cpp(student / "student.gguf") as engine:
        answers = asyncio.run(answers_of(engine))
        assert likeness(answers, taught) >= LIKENESS
        address = engine._server.listening_address  # llama.cpp's own server of the same weights
        assert likeness(asyncio.run(answers_over_http(address)), answers) >= LIKENESS
    assert likeness(answers_of_transformers(base), taught) < LIKENESS
    assert {path.name for path in student.iterdir()} == {"adapter", "merged", "student.gguf"}
    names = {path.name for path in (student / "adapter").iterdir()}
    assert {"adapter_model.safetensors", "tokenizer.json", "README.md"} <= names and "train.json" not in names


@pytest.mark.parametrize("kind", ["Qwen2", "Qwen3"])
def test_other_architectures_continue_a_text_as_transformers_does(kind: str, tmp_path: Path) -> None:
    require_extra()
    model = write_small_student(tmp_path / "model", kind)
    write_gguf(model, tmp_path / "model.gguf")
    assert likeness(answers_of_llama_cpp(tmp_path / "model.gguf"), answers_of_transformers(model)) >= LIKENESS


def test_tokenizer_and_weights_of_the_embedded_model_are_written_as_in_its_own_gguf() -> None:
    require_extra()
    from gguf import MODEL_ARCH, GGUFReader, dequantize

    reader = GGUFReader(engine_weights())

    def stored(key: str) -> Any:
        field = reader.get_field(f"tokenizer.ggml.{key}")
        assert field is not None
        return field.contents()

    written = tokenizer_fields(embedded_safetensors(), len(stored("tokens")))
    # transformers reads the file without its step that splits digits; no merge has a digit, so that nothing differs.
    for ours, key in {"tokens": "tokens", "merges": "merges", "types": "token_type"}.items():
        assert written[ours] == stored(key), key
    assert (written["bos"], written["eos"]) == (stored("bos_token_id"), stored("eos_token_id"))

    config = orjson.loads((embedded_safetensors() / "config.json").read_bytes())
    tensors = dict(tensors_of(embedded_safetensors(), MODEL_ARCH.LLAMA, config))
    assert tensors.keys() == {tensor.name for tensor in reader.tensors}
    for tensor in reader.tensors:
        if tensor.name.startswith(("blk.0.", "blk.29.", "output_norm")):
            values = dequantize(tensor.data, tensor.tensor_type)
            assert np.abs(tensors[tensor.name] - values).max() <= 0.01 * np.abs(values).max(), tensor.name


def test_what_cannot_be_exported_is_one_line(results: tuple[TrainConfig, Path], tmp_path: Path) -> None:
    config, trained = results
    with pytest.raises(ConfigError, match=r"^train\.export: there is no format 'onnx', expected adapter, merged, gguf"):
        export_student(config, trained, ["onnx"])
    with pytest.raises(ConfigError, match=r"^train\.export: .* has no finished training; run `skillmill train` first"):
        export_student(config, tmp_path, ["merged"])
    other = write_student(tmp_path / "other")
    with pytest.raises(ConfigError, match=r"^train\.export: the result in .* trained .*base, expected .*other"):
        export_student(config.model_copy(update={"student": str(other)}), trained, ["merged"])
    settings = orjson.loads((other / "config.json").read_bytes())
    (other / "config.json").write_bytes(orjson.dumps({**settings, "model_type": "gpt_neox"}))
    with pytest.raises(
        ConfigError, match=r"gguf expects a model of the architectures llama, .* found gpt_neox; convert"
    ):
        write_gguf(other, tmp_path / "other.gguf")
    assert not (tmp_path / "other.gguf").exists()
