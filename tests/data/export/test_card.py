"""The card shows any name as text, its metadata are what the Hub reads, and its plots are XML without markup."""

from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa
import pytest
import yaml
from exports import card_facts
from huggingface_hub import DatasetCard
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from skillmill.data.export.card.escaping import plain_line, table_cell
from skillmill.data.export.card.facts import CardFacts, CheckFacts, ModelFacts, TaxonomyFacts
from skillmill.data.export.card.header import size_category
from skillmill.data.export.card.page import Cost, Counts, dataset_card
from skillmill.data.export.card.plots import MOST_BARS, category_bars, length_bars, write_plots
from skillmill.data.export.files import Contents
from skillmill.data.export.funnel import Funnel
from skillmill.data.export.row_statistics import RowStatistics, quantile
from skillmill.data.versions import Version

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
CONTENTS = {
    "sft": Contents(
        pa.schema([("id", pa.string())]), {"train": 7, "validation": 2}, {"train": 70, "validation": 20}, 99
    ),
    "self": Contents(pa.schema([("texts", pa.list_(pa.string()))]), {"train": 0}, {"train": 0}, 5),
}
HOSTILE = [
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
    "a|b\\|c\\",
    "`code``",
    "![x](http://example.com/x.png)",
    "[x](javascript:alert(1))",
    "<script>alert(1)</script>",
    "<!-- a",
    "&lt;b&gt;",
    "__a__ *b* ~~c~~ $d$ _e_",
    "http://example.com www.example.com me@example.com",
    "# a #",
    "\u202eabc\u2066",
    "\x00\x1b[31m",
    "]]> ?>",
    "</text><script/>",
    "\ufffe\uffff",
]
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1) | st.sampled_from(HOSTILE)


def facts_of(name: str) -> CardFacts:
    """Return facts in which everything that can be any text is `name`."""
    return CardFacts(
        name=name,
        kind="my.module:Own",
        k={2: 0.5, 3: 0.5},
        seed=7,
        teacher=ModelFacts(name, license="mit", revision=name),
        grader=ModelFacts(name, license="mit"),
        taxonomy=TaxonomyFacts(name, name, {name: (name,)}, (name,), (name,)),
        plans=("b" * 16,),
        checks=CheckFacts(0.7, (name,), 13, True),
    )


def counts_of(name: str) -> Counts:
    funnel = Funnel(reasons=Counter([name]), per_skill=Counter([name]), graded=Counter([name]), rows=1)
    statistics = RowStatistics(
        Counter([3]), Counter([5]), topics=Counter([name]), query_types=Counter([name]), prompt_tokens=12
    )
    return Counts(funnel, statistics, Cost(12_000, 34, 0.5))


def version(name: str, **fields: Any) -> Version:
    known: dict[str, Any] = {
        "version": "v1",
        "scheduled_time": None,
        "plan": "b" * 16,
        "plans": {},
        "changed": [],
        "taxonomy": "f" * 64,
        "teacher": name,
        "rows_new": 9,
        "rows": 9,
        "dropped": {name: 1},
        "verdicts_changed": 0,
        "prompt_tokens": 10,
        "completion_tokens": 20,
        "money": 0.25,
        "export_sha256": "a" * 64,
        "note": name,
    }
    return Version(**(known | fields))


def card(name: str) -> str:
    return dataset_card(facts_of(name), counts_of(name), "abc", CONTENTS, [version(name)], {"A plot": "plots/a.svg"})


def structure(text: str) -> tuple[list[str], list[str]]:
    """Return the types of all tokens of the Markdown, and the texts."""
    kinds, texts = [], []

    def add(tokens: list[Token]) -> None:
        for token in tokens:
            kinds.append(token.type)
            if token.children is not None:
                add(token.children)
            elif token.type == "text" or token.type == "text_special":
                texts.append(token.content)

    add(MARKDOWN.parse(text.removeprefix("---\n").partition("\n---\n")[2]))
    without_text = [kind for kind in kinds if kind not in ("text", "text_special")]
    return without_text, texts


@given(name=NAMES)
def test_a_name_changes_no_structure_of_the_markdown(name: str) -> None:
    kinds, texts = structure(card(name))
    assert kinds == structure(card("x"))[0]
    assert "html_block" not in kinds and "html_inline" not in kinds
    shown = plain_line(name)
    assert shown in "".join(texts)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_cell_is_one_line_without_what_markdown_or_a_terminal_reads(name: str) -> None:
    cell = table_cell(name)
    assert cell.isprintable() or "\ufffd" in cell
    assert not set("|`<>[]*\\\n\r") & set(cell)
    assert "://" not in cell and "www." not in cell and "@" not in cell


@given(name=NAMES, reason=NAMES)
def test_the_header_is_what_the_hub_reads_whatever_the_names(name: str, reason: str) -> None:
    text = dataset_card(facts_of(name), counts_of(reason), "abc", CONTENTS, [])
    expected = {
        "pretty_name": plain_line(name),
        "license": "mit",
        "language": ["en"],
        "size_categories": ["n<1K"],
        "task_categories": ["text-generation"],
        "annotations_creators": ["machine-generated"],
        "source_datasets": ["original"],
        "tags": ["synthetic", "skill-mix", "skillmill"],
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
        "dataset_info": [
            {
                "config_name": "self",
                "features": [{"name": "texts", "list": "string"}],
                "splits": [{"name": "train", "num_bytes": 0, "num_examples": 0}],
                "download_size": 5,
                "dataset_size": 0,
            },
            {
                "config_name": "sft",
                "features": [{"name": "id", "dtype": "string"}],
                "splits": [
                    {"name": "train", "num_bytes": 70, "num_examples": 7},
                    {"name": "validation", "num_bytes": 20, "num_examples": 2},
                ],
                "download_size": 99,
                "dataset_size": 90,
            },
        ],
    }
    header = text.removeprefix("---\n").partition("\n---\n")[0]
    assert yaml.safe_load(header) == expected
    metadata: Any = DatasetCard(text).data
    assert metadata.to_dict() == expected


def test_without_a_licence_the_header_has_none_and_the_card_says_what_to_check() -> None:
    text = dataset_card(card_facts("x", ["b"]), Counts(Funnel()), "abc", CONTENTS, [])
    assert "license" not in yaml.safe_load(text.split("---")[1])
    assert "check the licence and the terms of that model" in text


@pytest.mark.parametrize(
    ("rows", "category"),
    [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (10_000, "10K<n<100K"), (10**8, "10M<n<100M")],
)
def test_the_size_is_named_as_the_hub_does(rows: int, category: str) -> None:
    assert size_category(rows) == category


def test_the_card_states_coverage_lengths_cost_checks_and_versions() -> None:
    taxonomy = TaxonomyFacts("t", "a book", {"style": ("irony", "haiku"), "logic": ("syllogism",)}, (), ("How-to",))
    facts = CardFacts(
        "n", "instruct_skill_mix", {2: 1.0}, 42, ModelFacts("big", "apache-2.0", "abc123"), taxonomy, ("p",)
    )
    facts_with_checks = CardFacts(**(vars(facts) | {"checks": CheckFacts(0.7, ("gsm8k", "mmlu"), 13, False)}))
    funnel = Funnel(per_skill=Counter(irony=2, old=1), reasons=Counter(contamination=4, duplicate=2, near_duplicate=3))
    statistics = RowStatistics(
        Counter({10: 90, 20: 10}), Counter({100: 94, 300: 6}), query_types=Counter({"How-to": 2})
    )
    versions = [version("big"), version("big", version="v2", changed=["generation.k"], note="", dropped={})]
    text = dataset_card(facts_with_checks, Counts(funnel, statistics, Cost(1500, 20, 3.5)), "abc", CONTENTS, versions)
    for line in (
        "| teacher | big, revision abc123, licence apache-2.0 |",
        "| taxonomy | t: 3 skills in 2 categories |",
        "| taxonomy's source | a book |",
        "| skills | 1 | 3 |",
        "| query types | 1 | 1 |",
        "| prompts | 10 | 10 | 20 |",
        "| answers | 100 | 100 | 300 |",
        "have 1,500 prompt tokens and 20 completion tokens,\nwhich cost 3.50 by",
        "gsm8k, mmlu are rejected: 4 rows",
        "of 0.7 or more, the first one is accepted. Rejected rows: 2 equal, 3 similar.",
        "| v2 | – | bbbbbbbb | ffffffff | big | 9 | 9 | – | 0 | 30 | 0.25 | changed: generation.k |",
        "| v1 | – | bbbbbbbb | ffffffff | big | 9 | 9 | big: 1 | 0 | 30 | 0.25 | big |",
        "eprint = {2310.17567}",
        "eprint = {2409.19808}",
        "eprint = {2408.14774}",
    ):
        assert line in text, line
    unchecked = dataset_card(facts, Counts(Funnel()), "abc", CONTENTS, [])
    assert "Rows were not compared with each other." in unchecked
    assert "Rows were not compared with evaluation sets." in unchecked


@given(counts=st.dictionaries(st.integers(0, 50), st.integers(1, 9), min_size=1), share=st.floats(0.01, 1))
def test_quantiles_are_those_of_the_sorted_values(counts: dict[int, int], share: float) -> None:
    values = sorted(Counter(counts).elements())
    found = quantile(Counter(counts), share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)
    assert sum(value < found for value in values) < share * len(values)


@given(name=NAMES)
def test_a_plot_is_xml_that_shows_any_name_as_text(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("plots")
    counts = counts_of(name)
    plots = write_plots(folder, TaxonomyFacts("t", "", {name: (name,)}), counts.funnel, counts.statistics)
    for path in plots.values():
        root = ElementTree.parse(folder / path).getroot()
        assert {element.tag.rpartition("}")[2] for element in root.iter()} == {"svg", "rect", "text"}
    [bar] = category_bars(TaxonomyFacts("t", "", {name: (name,)}), counts.funnel.per_skill)
    assert bar.label in "".join(ElementTree.parse(folder / "plots/categories.svg").getroot().itertext())


def test_small_categories_share_the_last_bar_and_skills_of_old_taxonomies_are_others() -> None:
    skills = {f"category {number:02}": (f"skill {number}",) for number in range(MOST_BARS + 2)}
    per_skill = Counter({f"skill {number}": 100 - number for number in range(MOST_BARS + 2)}) + Counter(gone=300)
    bars = category_bars(TaxonomyFacts("t", "", skills), per_skill)
    assert (bars[0].label, bars[0].length) == ("other skills", 1.0)
    assert len(bars) == MOST_BARS + 1
    assert (bars[-1].label, bars[-1].count) == ("3 more", (100 - 19) + (100 - 20) + (100 - 21))


def test_a_histogram_has_every_text_and_ends_before_rare_long_ones() -> None:
    bars = length_bars(Counter({10: 500, 40: 499, 90_000: 1}))
    assert sum(bar.count for bar in bars) == 1000
    assert len(bars) <= 21
    assert bars[-1].label.endswith("and more")
    assert length_bars(Counter()) == []


def test_plots_of_no_rows_are_valid(tmp_path: Path) -> None:
    for path in write_plots(tmp_path, TaxonomyFacts("t"), Funnel(), RowStatistics()).values():
        ElementTree.parse(tmp_path / path)
