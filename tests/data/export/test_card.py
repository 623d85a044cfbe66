"""The card's metadata survive any name."""

from collections import Counter
from typing import Any

import yaml
from huggingface_hub import DatasetCard
from hypothesis import given
from hypothesis import strategies as st

from skillmill.data.export.card import CardFacts, dataset_card
from skillmill.data.export.funnel import Funnel

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1) | st.sampled_from(
    [
        "---",
        "a\n---\nb",
        "a\r\n---\r\n# b",
        "{{ facts }}",
        "{% raw %}",
        "null",
        "1",
        "- a",
        "a: b # c",
        "\x85\u2028\x07",
    ]
)


@given(name=NAMES, reason=NAMES)
def test_the_header_is_what_the_hub_reads_whatever_the_names(name: str, reason: str) -> None:
    facts = CardFacts(name, "skill_mix", name, name, ["p"])
    splits = {"sft": ["train", "validation"], "self": ["train"]}
    text = dataset_card(facts, Funnel(reasons=Counter([reason])), "abc", splits, [])
    expected = {
        "pretty_name": " ".join(name.split()),
        "task_categories": ["text-generation"],
        "tags": ["synthetic", "skillmill"],
        "configs": [
            {
                "config_name": "sft",
                "description": "sha256 abc",
                "default": True,
                "data_files": [
                    {"split": "train", "path": "sft/train-*.parquet"},
                    {"split": "validation", "path": "sft/validation-*.parquet"},
                ],
            },
            {
                "config_name": "self",
                "description": "sha256 abc",
                "data_files": [{"split": "train", "path": "self/train-*.parquet"}],
            },
        ],
    }
    header = text.removeprefix("---\n").partition("\n---\n")[0]
    assert yaml.safe_load(header) == expected
    metadata: Any = DatasetCard(text).data
    assert metadata.to_dict() == expected
