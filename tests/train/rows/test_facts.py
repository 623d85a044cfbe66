"""The model card names what was done to the rows, with its values."""

from pathlib import Path

from skillmill.train.config import SftConfig
from skillmill.train.rows.facts import row_facts


def test_the_defaults_say_nothing() -> None:
    assert row_facts(SftConfig()) == []
    assert row_facts(SftConfig(data="owner/name")) == []  # the card says what was read from each set


def test_every_setting_is_named_with_its_values(tmp_path: Path) -> None:
    (file := tmp_path / "general.jsonl").touch()
    phases = [
        {"data": "export", "epochs": 3},
        {
            "mixture": [
                {"share": 0.25},
                {"data": str(file), "share": 0.5},
                {"data": "a/b", "subset": "c", "share": 0.25},
            ],
            "rehearsal": 0.004,
        },
    ]
    changes = {"response_only": True, "thinking": False, "streaming": True}
    settings = SftConfig.model_validate({"phases": phases, "order": "k", **changes})
    assert row_facts(settings) == [
        ("phase 1", "export; 3 epochs"),
        (
            "phase 2",
            "export (share 0.25), general.jsonl (share 0.5), a/b (c) (share 0.25); 1 epoch, "
            "with 0.004 of the rows of earlier phases (rehearsal)",
        ),
        ("order", "from the smallest value of k to the largest, within each phase"),
        ("prompts", "the turns of the user are empty (response_only)"),
        ("reasoning", "not learnt (thinking: false)"),
        ("streaming", "tokens are made when the training comes to a row"),
    ]
    mixture = [{"data": "export", "rows": 5}, {"data": str(file)}]
    markers = {"columns": ["k", "query_type"], "rows": 0.75}
    assert row_facts(SftConfig.model_validate({"mixture": mixture, "order": "loss", "markers": markers})) == [
        ("mixture, export", "5 rows"),
        ("order", "from the smallest loss of the student before the training to the largest"),
        ("markers after prompts", "k, query_type; on 0.75 of the rows, each left out of 0.5 of them (dropout)"),
    ]
