"""`max_length` cuts answers: how many is counted, and too many are an error that names the length that fits."""

import math
from pathlib import Path
from typing import Any

import orjson
import pytest

from skillmill.data.errors import SkillmillError
from skillmill.train.config import SftConfig
from skillmill.train.job import Job
from skillmill.train.methods.dpo import train_dpo
from skillmill.train.methods.sft import train_sft
from skillmill.train.quiet import require_extra
from skillmill.train.watch.cuts import Cuts, check_cuts

from ..conftest import ROOMY, config, write_dataset
from ..tiny_students import write_student

FRAME = len("<user\n>\n<assistant\n>\n")
"""Tokens of a conversation besides its two texts: each special token, here `<` or `>`, is one token."""


def tokens(ask: str, answer: str) -> int:
    return FRAME + len(ask) + len(answer)


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_extra()
    return write_student(tmp_path_factory.mktemp("student") / "tiny")


@pytest.mark.parametrize(
    ("cuts", "max_cut", "message"),
    [
        (Cuts(rows=100, answers=100, cut=5, left_out=0, longest=90), 0.05, ""),
        (Cuts(rows=100, answers=100, cut=3, left_out=3, longest=90), 0.06, ""),
        (Cuts(rows=100, answers=200, cut=10, left_out=0, longest=90), 0.05, ""),
        (Cuts(rows=100, answers=200, cut=100, left_out=50, longest=90), 1, ""),
        (Cuts(rows=100, answers=100, cut=6, left_out=0, longest=90), 0.05, "48 tokens cut 6 of 100 answers"),
        (Cuts(rows=100, answers=100, cut=0, left_out=6, longest=90), 0.05, "6 of 100 rows, more than"),
        (Cuts(rows=100, answers=200, cut=0, left_out=6, longest=90), 0.05, "expected 90, which cuts no answer"),
        (Cuts(rows=100, answers=100, cut=1, left_out=0, longest=90), 0, "train.sft.max_cut of 0 allows"),
        (Cuts(rows=2, answers=2, cut=0, left_out=2, longest=90), 1, "no row of 'sft' has room for an answer"),
    ],
)  # fmt: skip
def test_more_cut_answers_than_allowed_are_an_error(cuts: Cuts, max_cut: float, message: str) -> None:
    job = Job("sft", SftConfig(max_cut=max_cut), None, Path(), "sft", ("prompt", "completion"), Path(), 0)
    if not message:
        check_cuts(job, 48, cuts)
        return
    with pytest.raises(SkillmillError) as caught:
        check_cuts(job, 48, cuts)
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert caught.value.exit_code == 1


@pytest.mark.train
def test_cut_answers_and_rows_left_out_are_counted_as_trl_makes_them(student: Path, tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "export", rows=8, pairs=6)
    # The prompts differ by the name of the fruit: quince and cherry are the longest, fig is the shortest.
    asks = {fruit: f"Name the colour of a {fruit}." for fruit in ("fig", "pear", "apple", "quince")}
    longest = tokens(asks["quince"], "A ripe quince is sweet and green.")
    limit = tokens(asks["apple"], "A ripe apple is sweet and green.")
    assert limit == longest - 2
    sft = {"lora": None, "args": {**ROOMY, "max_length": limit, "max_steps": 1}}
    with pytest.raises(SkillmillError, match=rf"cut 2 of 8 answers and leave out 0 of 8 rows.*expected {longest}, "):
        train_sft(config(student=str(student), sft=sft, dpo=None), data, tmp_path / "sft", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["export"]

    allowed = config(student=str(student), sft={**sft, "max_cut": 0.25}, dpo={**sft, "max_cut": 0.25})
    result = train_sft(allowed, data, tmp_path / "sft", 1)
    assert (result.rows, result.cut, result.left_out) == (8, 2, 0)
    card = (result.path / "README.md").read_text()
    assert "| answers cut by `max_length` | 2 |" in card and "| rows left out by `max_length` | 0 |" in card
    marker: dict[str, Any] = orjson.loads((result.path / "train.json").read_bytes())
    assert (marker["result"]["cut"], marker["result"]["left_out"]) == (2, 0)

    pairs = train_dpo(allowed, data, tmp_path / "dpo", result.path, 1)  # 6 pairs, chosen answers of cherry and quince
    assert (pairs.rows, pairs.cut, pairs.left_out) == (6, 2, 0)


@pytest.mark.train
@pytest.mark.parametrize(
    ("args", "counted"),
    [
        ({"max_length": None}, (8, 0, 0)),
        ({"max_length": 46}, (3, 3, 5)),  # the prompts of fruit with five and six letters have 46 tokens and more
        ({"max_length": 46, "completion_only_loss": False}, (8, 8, 0)),
        ({"max_length": 46, "truncation_mode": "keep_end"}, (8, 0, 0)),  # the answers have less than 46 tokens
        ({"max_length": 46, "packing": True, "packing_strategy": "wrapped"}, (8, 0, 0)),
    ],
)
def test_cuts_by_truncation_and_packing(
    args: dict[str, Any], counted: tuple[int, int, int], student: Path, dataset: Path, tmp_path: Path
) -> None:
    sft = {"lora": None, "max_cut": 1, "args": {**ROOMY, "num_train_epochs": 1, **args}}
    result = train_sft(config(student=str(student), sft=sft, dpo=None), dataset, tmp_path / "sft", 1)
    assert (result.rows, result.cut, result.left_out) == counted
    if "packing" not in args:
        assert result.steps == math.ceil(result.rows / 2)  # TRL's own count, in batches of two rows
