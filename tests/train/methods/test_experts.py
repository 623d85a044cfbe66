"""LoRA experts by category of skills, and their merged adapter."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from skillmill.data.errors import ConfigError
from skillmill.train.config import TrainConfig
from skillmill.train.methods.experts import RECORD, rows_by_category, train_experts
from skillmill.train.quiet import require_extra

from ..conftest import ROOMY
from ..rows.conftest import rows_for, write_export
from ..tiny_students import write_student
from .test_kto_and_grpo import CHECKABLE, RULES

SKILLS = [next(name for name, skill in RULES.items() if skill.category == kind) for kind in ("punctuation", "clauses")]


def export(folder: Path, both: bool) -> Path:
    first = rows_for(16, skills=SKILLS[:1])
    others = rows_for(16, skills=SKILLS if both else SKILLS[:1])
    rows = [row if index % 2 else other for index, (row, other) in enumerate(zip(first, others, strict=True))]
    return write_export(folder, rows)


@pytest.mark.train
def test_the_updates_of_the_merged_adapter_are_the_mean_of_the_experts(tmp_path: Path) -> None:
    require_extra()
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    data, student = export(tmp_path / "run", both=True), write_student(tmp_path / "student")
    rows = rows_by_category(data / "sft", CHECKABLE)
    assert len(rows) == 2
    shared, alone = sorted(map(len, rows.values()))
    assert 0 < shared < alone
    sft = {"lora": {"r": 4, "alpha": 8}, "args": {**ROOMY, "max_steps": 2, "learning_rate": 1e-2}}
    config = TrainConfig.model_validate({"student": str(student), "sft": sft})
    merged = train_experts(config, data, tmp_path / "train", 1, CHECKABLE)
    assert [each["rows"] for each in orjson.loads((merged / RECORD).read_bytes())] == [
        len(each) for each in rows.values()
    ]
    assert sorted(path.name for path in (tmp_path / "train").iterdir()) == ["experts", "experts-parts"]

    def weights(adapter: Path | None) -> dict[str, Any]:
        model = AutoModelForCausalLM.from_pretrained(student)
        return dict((PeftModel.from_pretrained(model, adapter).merge_and_unload() if adapter else model).state_dict())

    base, together = weights(None), weights(merged)
    experts = [weights(tmp_path / "train" / "experts-parts" / name) for name in ("000", "001")]
    key = "model.layers.0.self_attn.q_proj.weight"
    mean = sum(each[key] - base[key] for each in experts) / 2
    assert (together[key] - base[key] - mean).abs().max() < 1e-6 < mean.abs().max()


def test_rows_of_one_category_have_no_experts(tmp_path: Path) -> None:
    data = export(tmp_path / "run", both=False)
    config = TrainConfig.model_validate({"sft": {}})
    with pytest.raises(ConfigError, match=r"^train experts: expected rows of two or more categories .* found 1$"):
        train_experts(config, data, tmp_path / "train", 1, CHECKABLE)
    with pytest.raises(ConfigError, match=r"^train\.sft: experts expect an adapter"):
        train_experts(TrainConfig.model_validate({"sft": {"lora": None}}), data, tmp_path / "train", 1, CHECKABLE)
