"""KTO on accepted and rejected rows, and GRPO with rewards by rules, each after an SFT of a tiny student."""

from pathlib import Path
from typing import Any

import orjson
import pytest

import skillmill.skill_taxonomy
from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.data.records import Sample
from skillmill.skill_taxonomy.cells import Cell
from skillmill.skill_taxonomy.formats import load_taxonomy
from skillmill.skill_taxonomy.taxonomy import Skill, Topic
from skillmill.train.config import TrainConfig
from skillmill.train.methods.grpo import train_grpo
from skillmill.train.methods.kto import train_kto
from skillmill.train.methods.rewards import REWARDS, reward_functions
from skillmill.train.methods.sft import train_sft
from skillmill.train.quiet import require_extra
from skillmill.train.result import TrainResult

from ..conftest import ROOMY
from ..rows.conftest import rows_for, write_export
from ..tiny_students import write_student

CHECKABLE = Path(skillmill.skill_taxonomy.__path__[0]) / "builtin" / "checkable.yaml"
LORA = {"r": 4, "alpha": 8}
ONE_STEP: dict[str, Any] = {**ROOMY, "max_steps": 1}
GRPO_ARGS = {key: value for key, value in ROOMY.items() if key != "max_length"}
RULES = {skill.name: skill for skill in load_taxonomy(CHECKABLE).skills}
SKILLS = list(RULES)[:2]
TEXT = "Her knight was a thief. Is it not warm today?"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = rows_for(40, kind="skill_mix", k=2, skills=SKILLS, topic="chess")
    return write_export(tmp_path_factory.mktemp("data"), rows)


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainConfig, TrainResult]:
    require_extra()
    student = write_student(tmp_path_factory.mktemp("student") / "tiny")
    block = {
        "student": str(student),
        "sft": {"lora": LORA, "args": ONE_STEP},
        "kto": {"args": {**ROOMY, "max_steps": 3}},
        "grpo": {"args": {**GRPO_ARGS, "max_steps": 2, "num_generations": 2, "max_completion_length": 8}},
    }
    settings = TrainConfig.model_validate(block)
    return settings, train_sft(settings, data, tmp_path_factory.mktemp("train") / "sft", 1)


def log_of(result: TrainResult) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in (result.path / "log.jsonl").read_bytes().splitlines()]


@pytest.mark.train
def test_kto_continues_the_sft_on_accepted_and_rejected_rows(
    trained: tuple[TrainConfig, TrainResult], data: Path
) -> None:
    settings, sft = trained
    kto = train_kto(settings, data, sft.path.parent / "kto", sft.path, 1)
    # Of the 36 rows that are not of the test split, 18 are accepted and 9 rejected for a fault of theirs.
    assert kto.adapter and kto.steps == 3 and (kto.rows, kto.held_out_rows) == (25, 2)
    assert kto.held_out[0][1] == pytest.approx(0.5, abs=0.02)  # the policy is its own reference: 1 - sigmoid(0)
    logs = log_of(kto)
    assert {"rewards/chosen", "rewards/rejected"} <= {key for entry in logs for key in entry}
    assert train_kto(settings, data, kto.path, sft.path, 1).reused
    card = (kto.path / "README.md").read_text()
    assert "# Kahneman-Tversky optimisation" in card and "| loss on 2 rows set aside, before | 0.5" in card


@pytest.mark.train
def test_grpo_continues_the_sft_with_rewards_by_rules(trained: tuple[TrainConfig, TrainResult], data: Path) -> None:
    settings, sft = trained
    grpo = train_grpo(settings, data, sft.path.parent / "grpo", sft.path, 1, CHECKABLE)
    assert grpo.adapter and grpo.steps == 2 and grpo.measure == "reward"
    assert [step for step, _ in grpo.held_out] == [0, 2]
    keys = {key for entry in log_of(grpo) for key in entry}
    assert {f"rewards/{name}/mean" for name in ("skills", "unnamed", "within_limit")} <= keys
    assert "rewards/effort/mean" not in keys
    with pytest.raises(ConfigError, match=r"^train\.grpo\.rewards\.skills: no skill of the rows has a rule"):
        other = data.parent / "other.yaml"
        other.write_text("skills: [{name: irony}]\n")
        train_grpo(settings, data, sft.path.parent / "other", sft.path, 1, other)


@pytest.mark.train
def test_grpo_takes_prompts_of_others_which_have_no_skills(
    trained: tuple[TrainConfig, TrainResult], tmp_path: Path
) -> None:
    settings, sft = trained
    file = tmp_path / "prompts.jsonl"
    file.write_text("\n".join(orjson.dumps({"prompt": f"Say {n}."}).decode() for n in range(8)))
    block = settings.model_dump(mode="json", exclude_unset=True)
    block["grpo"] |= {"data": str(file), "held_out": 0, "args": {**block["grpo"]["args"], "max_steps": 1}}
    with pytest.raises(ConfigError, match=r"^train\.grpo\.rewards\.skills: no skill of the rows has a rule"):
        train_grpo(TrainConfig.model_validate(block), tmp_path, tmp_path / "grpo", sft.path, 1, CHECKABLE)
    block["grpo"]["rewards"] = {"skills": 0}
    grpo = train_grpo(TrainConfig.model_validate(block), tmp_path, tmp_path / "grpo", sft.path, 1, CHECKABLE)
    assert (grpo.rows, grpo.steps) == (8, 1)
    assert {"rewards/makes_sense/mean"} <= {key for entry in log_of(grpo) for key in entry}


@pytest.mark.train
def test_kto_of_rows_with_one_label_is_one_line(trained: tuple[TrainConfig, TrainResult], tmp_path: Path) -> None:
    settings, sft = trained
    accepted = [row for row in rows_for(16) if row["verdict"] == "accepted"]
    folder = write_export(tmp_path, accepted)
    with pytest.raises(SkillmillError, match=r"^train\.kto: the dataset has no rejected rows, and KTO needs both"):
        train_kto(settings, folder, tmp_path / "kto", sft.path, 1)
    assert not (tmp_path / "kto").exists()


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("unnamed", TEXT, 1.0),
        ("unnamed", "A metaphor.", 0.0),
        ("within_limit", "One. Two.", 0.0),  # two skills: one sentence
        ("within_limit", "One.", 1.0),
        ("on_topic", "The chess club meets.", 1.0),
        ("on_topic", "Rain fell.", 0.0),
        ("makes_sense", "It rains. It rains. It rains. It rains. It rains. It rains.", 0.0),
        ("effort", "No.", None),  # a Skill-Mix text has no score
    ],
)
def test_a_reward_is_a_point_of_the_rules(name: str, text: str, expected: float | None) -> None:
    cell = Cell("skill_mix", 0, (Skill(name="metaphor"), Skill(name="irony")), Topic(name="chess"), None, 0)
    assert REWARDS[name](Sample("Write.", text), cell) == expected


def test_the_reward_for_skills_is_the_share_that_their_rules_find() -> None:
    weights = dict.fromkeys(REWARDS, 1.0)
    functions = reward_functions(weights, CHECKABLE, SKILLS)
    example = RULES[SKILLS[0]].example
    columns = {"kind": ["skill_mix"] * 2, "skills": [SKILLS, ["unknown"]], "topic": ["chess"] * 2}
    columns |= {"query_type": [None] * 2, "length": [None] * 2, "language": [None] * 2}
    prompts = [[{"role": "user", "content": "Write."}]] * 2
    completions = [[{"role": "assistant", "content": example}]] * 2
    shares = functions["skills"](prompts, completions, completion_ids=None, trainer_state=None, **columns)
    assert shares[0] is not None and shares[0] >= 0.5
    assert shares[1] is None  # no rule could decide it
