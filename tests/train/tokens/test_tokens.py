"""Rows are tokenised as TRL does it, and prepared as TRL would prepare them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from skillmill.data.errors import ConfigError
from skillmill.train.config import DpoConfig, SftConfig
from skillmill.train.job import Job
from skillmill.train.methods.sft import sft_job, sft_trainer
from skillmill.train.quiet import offline_and_quiet
from skillmill.train.rows.load import check_rows, load_rows
from skillmill.train.tokens.answer_starts import answer_starts, common_prefix, splits_of
from skillmill.train.tokens.conversations import conversations, encoded
from skillmill.train.watch.cuts import count_cuts

from ..conftest import ROOMY, config
from ..rows.conftest import job_of
from ..tiny_students import SPECIAL_TOKENS, TEMPLATE

pytestmark = pytest.mark.train


def job_with(student: Path, export: Path, folder: Path, **args: Any) -> Job:
    sft = {"lora": None, "args": {**ROOMY, **args}}
    return sft_job(config(student=str(student), sft=sft, dpo=None), export, folder / "sft", 1)


OTHER = TEMPLATE.replace("\\n", " ").replace("{{ m['role'] }}", "{{ m['role'] | upper }}")
CASES: dict[str, dict[str, Any]] = {
    "whole": {"max_length": None},
    "roomy": {},
    "cut": {"max_length": 52},
    "left out": {"max_length": 47},
    "keep end": {"max_length": 30, "truncation_mode": "keep_end"},
    "whole loss": {"max_length": 47, "completion_only_loss": False},
    "template": {"chat_template_path": "TEMPLATE", "max_length": 52},
    "shuffled": {"shuffle_dataset": True, "max_length": 52},
    "packed": {"packing": True, "packing_strategy": "wrapped", "max_length": 60},
    "packed and cut": {"packing": True, "packing_strategy": "bfd", "max_length": 52, "shuffle_dataset": True},
}


@pytest.mark.parametrize("case", CASES)
def test_the_prepared_rows_are_those_of_trl(
    case: str, student: Path, export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = dict(CASES[case])
    if "chat_template_path" in args:
        (tmp_path / "other.jinja").write_text(OTHER)
        args["chat_template_path"] = str(tmp_path / "other.jinja")
    job = job_with(student, export, tmp_path, **args)
    rows = load_rows(job, tmp_path / "work")
    held_out = rows.select(range(4))
    with offline_and_quiet():
        ours = sft_trainer(job, str(student), rows, held_out)
        counted = count_cuts(job, ours, rows)
        monkeypatch.setattr("skillmill.train.methods.sft.prepared", lambda *_: None)
        trls = sft_trainer(job, str(student), rows, held_out)
    assert ours.row_sizes is not None and trls.row_sizes is None
    for one, other in ((ours.train_dataset, trls.train_dataset), (ours.eval_dataset, trls.eval_dataset)):
        assert one["input_ids"][:] == other["input_ids"][:]
        assert one["labels"][:] == other["labels"][:]
    assert counted == count_cuts(job, trls, rows)
    if not args.get("packing"):
        assert len(ours.train_dataset) == counted.rows - counted.left_out
    batch, expected = (next(iter(trainer.get_train_dataloader())) for trainer in (ours, trls))
    assert values_of(batch) == values_of(expected)


def values_of(batch: dict[str, Any]) -> dict[str, Any]:
    return {name: value.tolist() if hasattr(value, "tolist") else value for name, value in batch.items()}


def each_alone(tokenizer: Any, row: dict[str, Any], answers: list[str]) -> tuple[int, list[list[int]]]:
    """Return the start of the answers and the tokens of the conversations of one row, as TRL finds them."""
    asked = tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True, return_dict=True)["input_ids"]
    whole = [
        tokenizer.apply_chat_template(row["prompt"] + row[each], return_dict=True)["input_ids"] for each in answers
    ]
    return min(common_prefix(asked, ids) for ids in whole), whole


def test_the_tokens_of_a_prompt_are_not_made_again(student: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(student)
    asked = [f"<|im_start|>user\n{n}<|im_end|>\n<|im_start|>assistant\n" for n in range(9)]
    whole = [f"{prompt}{n}<|im_end|>\n" for n, prompt in enumerate(asked)]
    made: list[str] = []

    def encode(texts: Sequence[str]) -> list[list[int]]:
        made.extend(texts)
        return encoded(tokenizer, texts)

    starts = answer_starts(asked, whole, encoded(tokenizer, whole), splits_of(tokenizer), encode)
    assert starts == list(map(len, encoded(tokenizer, asked))) and made == ["<|im_start|>assistant\n"]


def subwords(kind: str) -> Any:
    """Return a tokenizer with merges that cross words or lines, and special tokens of the kind."""
    from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="?"))
    tokenizer.normalizer = normalizers.Lowercase() if kind == "strips" else None
    tokenizer.pre_tokenizer = (
        pre_tokenizers.Metaspace(prepend_scheme="first") if kind == "adds spaces" else pre_tokenizers.ByteLevel()
    )
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=["?"], initial_alphabet=letters, show_progress=False)
    tokenizer.train_from_iterator([*TEXTS, "user\n\nassistant\n\n\n long long"] * 9, trainer)
    strips = kind == "strips"
    texts = [*SPECIAL_TOKENS, "<|im_start|>assistant"] if kind == "longer" else SPECIAL_TOKENS
    tokenizer.add_tokens([AddedToken(text, rstrip=strips, normalized=strips) for text in texts])
    return tokenizer


TEXTS = ["", "a", "Grüße <|im_end|> \n\n", "<|im_start|>assistant\nYes.", "long " * 30, "<|im_start|", "\n"]
GENERATION = "{% if add_generation_prompt %}"
TEMPLATES = {
    "plain": TEMPLATE,
    "no special token": TEMPLATE.replace("<|im_start|>", "### ").replace("<|im_end|>", ""),
    "other answers": TEMPLATE.replace(GENERATION, GENERATION + "<|im_start|>thinking\n"),
    "other prompts": "{{ messages | length }}" + TEMPLATE,
    "merging": TEMPLATE.replace("assistant\n", "assistant\n\n\n"),
}


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("kind", ["bytes", "padded", "slow", "plain text", "merges", "adds spaces", "strips", "longer"])
def test_tokens_of_a_batch_are_those_of_each_row(kind: str, template: str, student: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, ByT5Tokenizer, PreTrainedTokenizerFast

    tokenizer: Any = AutoTokenizer.from_pretrained(student)
    if kind == "slow":
        tokenizer = ByT5Tokenizer()
    elif kind == "padded":
        tokenizer("x", truncation=True, max_length=3, padding="max_length")
    elif kind == "plain text":
        tokenizer.split_special_tokens = True
    elif kind != "bytes":
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=subwords(kind))
    tokenizer.chat_template = TEMPLATES[template]
    assert tokenizer.is_fast == (kind != "slow")
    roles, sizes = ("user", "assistant", "user"), (1, 3, 3, 1, 3, 1, 3)
    chats = [
        [{"role": role, "content": text} for role, text in zip(roles, texts, strict=True)][:size]
        for *texts, size in zip(TEXTS, reversed(TEXTS), TEXTS, sizes, strict=True)
    ]
    pairs = [[{"role": "assistant", "content": text}] for text in TEXTS]
    rows = [
        {"prompt": prompt, "chosen": chosen, "rejected": rejected}
        for prompt in chats
        for chosen, rejected in zip(pairs, [*pairs[1:], pairs[0]], strict=True)
    ]
    answers = ["chosen", "rejected"]
    made = conversations({name: [row[name] for row in rows] for name in rows[0]}, tokenizer, answers)
    expected = [each_alone(tokenizer, row, answers) for row in rows]
    assert made.starts == [start for start, _ in expected]
    assert made.whole == [list(column) for column in zip(*(whole for _, whole in expected), strict=True)]
    assert (max(made.starts) > 30) == (template != "other prompts")


def test_rows_are_ordered_by_the_loss_of_the_student(student: Path, export: Path, tmp_path: Path) -> None:
    import torch

    sft = {"lora": None, "order": "loss", "args": ROOMY}
    job = sft_job(config(student=str(student), sft=sft, dpo=None), export, tmp_path / "sft", 1)
    rows = load_rows(job, tmp_path / "work")
    with offline_and_quiet():
        trainer = sft_trainer(job, str(student), rows, None)
    assert len(trainer.train_dataset) == len(rows) and trainer.args.train_sampling_strategy == "sequential"
    trainer.model.eval()
    losses = []
    for row in trainer.train_dataset:
        ids, labels = torch.tensor([row["input_ids"]]), torch.tensor([row["labels"]])
        with torch.no_grad():
            losses.append(float(trainer.model(input_ids=ids, labels=labels).loss))
    assert losses == pytest.approx(sorted(losses), abs=1e-4) and losses[0] < losses[-1]


@pytest.mark.parametrize("settings", [{"streaming": True}, {"phases": [{}, {}]}])
def test_the_order_by_loss_is_for_one_pass_over_known_rows(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="order: loss is expected without phases and streaming"):
        SftConfig.model_validate({"order": "loss", **settings})


def test_the_order_by_loss_is_for_sft(export: Path) -> None:
    with pytest.raises(ConfigError, match=r"^train\.dpo\.order: loss is expected with train\.sft without packing$"):
        check_rows(job_of("dpo", export, DpoConfig(order="loss")))
