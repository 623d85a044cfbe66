"""Each stage hands its tokenizer, with chat template and special tokens, to the next one and to the result folder."""

import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest

from skillmill.data.errors import ConfigError
from skillmill.train.config import TrainConfig
from skillmill.train.methods.dpo import train_dpo
from skillmill.train.methods.sft import train_sft
from skillmill.train.quiet import require_extra
from skillmill.train.student import student_path

from .conftest import ARGS, CONFIG, SEED, config

pytestmark = pytest.mark.train

TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}<|im_end|>{% endfor %}"
ONE_STEP = {**ARGS, "max_steps": 1}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded student without its chat template, as a base model is published."""
    require_extra()
    folder = tmp_path_factory.mktemp("student") / "base"
    shutil.copytree(student_path(None), folder)
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    settings = orjson.loads((folder / "tokenizer_config.json").read_bytes())
    settings.pop("chat_template", None)
    (folder / "tokenizer_config.json").write_bytes(orjson.dumps(settings))
    return folder


def settings_of(student: Path, **sft_args: Any) -> TrainConfig:
    sft = {**CONFIG["sft"], "args": {**ONE_STEP, **sft_args}}
    return config(student=str(student), sft=sft, dpo={"args": ONE_STEP})


def test_dpo_takes_template_and_special_tokens_from_the_sft(base: Path, dataset: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    (tmp_path / "chat.jinja").write_text(TEMPLATE)
    settings = settings_of(base, chat_template_path=str(tmp_path / "chat.jinja"), eos_token="<|endoftext|>")
    sft = train_sft(settings, dataset, tmp_path / "sft", SEED)
    dpo = train_dpo(settings, dataset, tmp_path / "dpo", sft.path, SEED)
    for folder in (sft.path, dpo.path):
        tokenizer = AutoTokenizer.from_pretrained(folder)
        text = tokenizer.apply_chat_template([{"role": "user", "content": "Why?"}], tokenize=False)
        assert text == "user: Why?<|im_end|>"
        assert tokenizer.eos_token == "<|endoftext|>"


def test_a_student_without_a_template_is_one_line_in_both_stages(base: Path, dataset: Path, tmp_path: Path) -> None:
    settings = settings_of(base)
    with pytest.raises(ConfigError, match=r"^train\.student: .* no chat template; set train\.sft\.args\.chat_template"):
        train_sft(settings, dataset, tmp_path / "sft", SEED)
    alone = config(student=str(base), sft=None, dpo={"args": ONE_STEP})
    with pytest.raises(ConfigError, match=r"^train\.student: .* no chat template; train SFT first with train\.sft\.ar"):
        train_dpo(alone, dataset, tmp_path / "dpo", None, SEED)
    assert list(tmp_path.iterdir()) == []


def test_a_student_without_a_tokenizer_is_named(base: Path, dataset: Path, tmp_path: Path) -> None:
    student = tmp_path / "student"
    shutil.copytree(base, student)
    for file in student.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(ConfigError, match=r"^train\.student: .*student has no tokenizer"):
        train_sft(settings_of(student), dataset, tmp_path / "sft", SEED)


def test_new_tokens_on_tied_embeddings_are_one_line(base: Path, dataset: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    source = AutoTokenizer.from_pretrained(base)
    source.add_tokens(["<|turn|>"], special_tokens=True)
    source.chat_template = TEMPLATE.replace("<|im_end|>", "<|turn|>")
    source.save_pretrained(tmp_path / "source")
    settings = settings_of(base, chat_template_path=str(tmp_path / "source"))
    with pytest.raises(ConfigError, match=r"chat_template_path: adds the token <\|turn\|>, .*lora to null"):
        train_sft(settings, dataset, tmp_path / "sft", SEED)
