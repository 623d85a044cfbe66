"""The contamination filter: which rows it rejects, the index of the sets, and errors for sets that cannot be read."""

import functools
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from skillmill.data.errors import ConfigError
from skillmill.data.records import Sample
from skillmill.data.text.ngrams import normal_words
from skillmill.filters.apply import apply_filters, undecided
from skillmill.filters.config import FiltersConfig
from skillmill.filters.contamination.evaluation_sets import known_sets
from skillmill.filters.contamination.filter import Contamination
from skillmill.filters.contamination.matching import contamination
from skillmill.filters.contamination.ngram_index import with_index
from skillmill.filters.contamination.shared_ngrams import SharedNgrams, shared_ngrams
from skillmill.filters.verdict import Verdict
from skillmill.skill_taxonomy.cells import Cell
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill

CELL = Cell("instruct_skill_mix", 0, (Skill(name="metaphor"),), None, QueryType(name="Advice", min_words=20), 1)
QUESTION = (
    "A beekeeper carries 12 frames to each of her 7 hives, and on the way back she drops three of them in the wet "
    "grass behind the old mill."
)
SHORT = "How many bees does a well-kept hive hold in June?"
BRIEF = "What do drones do?"
TURNS = [{"role": "user", "content": "Draw up a plan for a walled garden that a wheelchair user can work in alone."}]
WORDS = ["ash", "birch", "cedar", "dogwood", "elm", "fir", "gum", "hazel"]


def jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def options(folder: Path, *sets: Any, **settings: Any) -> Contamination:
    return with_index(Contamination(sets=sets, **settings), folder / "work")


@pytest.fixture(scope="module")
def bees(tmp_path_factory: pytest.TempPathFactory) -> Contamination:
    """One set, `bees`, with a long text, one of eleven words and one of four."""
    folder = tmp_path_factory.mktemp("bees")
    file = jsonl(folder / "bees.jsonl", [{"question": text} for text in (QUESTION, SHORT, BRIEF, "", None)])
    return options(folder, f"{file}:question")


def check(options: Contamination, response: str, instruction: str = "What do bees eat?") -> Verdict:
    return contamination(Sample(instruction, response), CELL, options)


def sharing_sets(options: Contamination, response: str) -> set[str]:
    """The sets that the answer shares n-grams with; asserts that it is rejected."""
    verdict = check(options, response, "")
    assert verdict.reasons == (Contamination.reason,)
    return {shared.evaluation_set for shared in shared_ngrams("", response, verdict.signals)}


def words_of(text: str, start: int, length: int) -> str:
    return " ".join(text.split()[start : start + length])


def test_a_row_with_a_long_ngram_of_a_set_is_rejected_and_the_ngram_is_reported(bees: Contamination) -> None:
    run = words_of(QUESTION, 4, 13)
    response = f"Think of it like this: {run}, so she is late."
    verdict = check(bees, response)
    assert verdict.reasons == (Contamination.reason,)
    shared = shared_ngrams("What do bees eat?", response, verdict.signals)
    assert shared == [SharedNgrams("bees", 6, " ".join(normal_words(run)))]


def test_a_shorter_ngram_is_only_a_signal(bees: Contamination) -> None:
    response = f"Well, {words_of(QUESTION, 4, 12)} or so."
    verdict = check(bees, response)
    assert verdict.reasons == ()
    assert verdict.signals["evaluation_ngrams"] == verdict.signals["evaluation_ngrams:bees"] == 5
    [shared] = shared_ngrams("What do bees eat?", response, verdict.signals)
    assert shared.words == " ".join(normal_words(words_of(QUESTION, 4, 8)))


def test_the_instruction_is_compared_too_and_no_ngram_crosses_into_the_answer(bees: Contamination) -> None:
    assert check(bees, "They eat nectar.", instruction=QUESTION).reasons == (Contamination.reason,)
    first, second = words_of(QUESTION, 0, 7), words_of(QUESTION, 7, 7)
    assert check(bees, second, instruction=first) == Verdict((), {"evaluation_ngrams": 0.0})


def test_a_short_text_rejects_a_row_that_contains_all_of_it(bees: Contamination) -> None:
    verdict = check(bees, f"They ask: {SHORT.upper()} Nobody knows.")
    assert verdict.reasons == (Contamination.reason,)
    assert verdict.signals["evaluation_words:bees"] == len(normal_words(SHORT)) == 11
    most = SHORT.rpartition(" in ")[0]
    assert check(bees, f"They ask: {most}? Nobody knows.").reasons == ()


def test_a_brief_text_rejects_only_an_instruction_equal_to_it(bees: Contamination) -> None:
    verdict = check(bees, "They mate.", instruction="what do DRONES do")
    assert verdict.reasons == (Contamination.reason,)
    assert shared_ngrams("what do DRONES do", "They mate.", verdict.signals) == [
        SharedNgrams("bees", 1, "what do drones do")
    ]
    for instruction, response in [("What do drones do here?", "They mate."), ("What do they do?", BRIEF), ("", "")]:
        assert check(bees, response, instruction) == Verdict((), {"evaluation_ngrams": 0.0})


@given(
    st.lists(st.sampled_from(WORDS), max_size=20),
    st.integers(0, len(QUESTION.split()) - 13),
    st.lists(st.sampled_from(WORDS), max_size=20),
    st.lists(st.sampled_from([" ", "\n\n", ", ", " - ", "! ", "** ", " “", "’ "]), min_size=12, max_size=12),
    st.sampled_from([str.upper, str.lower, str.title, str.swapcase]),
    st.booleans(),
)
def test_thirteen_words_are_found_whatever_surrounds_and_adorns_them(
    bees: Contamination,
    before: list[str],
    start: int,
    after: list[str],
    marks: list[str],
    case: Any,
    in_instruction: bool,
) -> None:
    run = QUESTION.split()[start : start + 13]
    adorned = run[0] + "".join(mark + word for mark, word in zip(marks, run[1:], strict=True))
    text = " ".join([*before, case(adorned), *after])
    verdict = check(bees, "Fine.", text) if in_instruction else check(bees, text)
    assert verdict.reasons == (Contamination.reason,)


@given(
    st.lists(st.one_of(st.sampled_from(WORDS), st.sampled_from(normal_words(QUESTION))), max_size=80),
    st.integers(0, 30),
    st.integers(0, 7),
)
def test_a_row_without_such_an_ngram_is_never_rejected(bees: Contamination, row: list[str], at: int, size: int) -> None:
    """Compare with a search by brute force, over texts made of words of the set, some of them in its order."""
    question = normal_words(QUESTION)
    row = row[:at] + question[5 : 5 + size] + row[at:]
    text, whole = f" {' '.join(row)} ", [f" {' '.join(question[i : i + 13])} " for i in range(len(question) - 12)]
    eights = [f" {' '.join(question[i : i + 8])} " for i in range(len(question) - 7)]
    verdict = check(bees, text)
    assert bool(verdict.reasons) == any(run in text for run in whole)
    assert bool(verdict.signals["evaluation_ngrams"]) == any(run in text for run in eights)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Don’t stop", "dont STOP"),
        ("a well-known naïve idea", "A well known NAÏVE idea"),
        ("STRASSE", "straße"),
        ("ﬁve km²", "five km2"),
        ("蜂蜜は甘い", "蜂 蜜 は 甘 い"),
        ("snake_case", "snake case"),
        ("a soft\u00adly hid\u200bden word", "a softly hidden word"),
    ],
)
def test_words_that_are_the_same(one: str, other: str) -> None:
    assert normal_words(one) == normal_words(other) != []


def test_lengths_can_be_set(tmp_path: Path) -> None:
    file = jsonl(tmp_path / "bees.jsonl", [{"question": QUESTION}])
    five = words_of(QUESTION, 2, 5)
    strict = options(tmp_path, f"{file}:question", report=4, drop=5)
    assert check(strict, five).reasons == (Contamination.reason,)
    lenient = options(tmp_path, f"{file}:question", drop=None)
    assert check(lenient, QUESTION).reasons == ()
    assert check(lenient, QUESTION).signals["evaluation_ngrams"] == len(normal_words(QUESTION)) - 7


def test_sets_of_every_form_and_several_at_once(tmp_path: Path) -> None:
    frame = pd.DataFrame({"problem": [QUESTION], "solution": [SHORT], "level": [3]})
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "b.parquet")
    frame.to_json(tmp_path / "c.json", orient="records")
    jsonl(tmp_path / "d.jsonl", [{"turns": TURNS}, {"turns": None}])
    filter_options = options(
        tmp_path,
        f"{tmp_path}/a.csv:problem",
        {"name": "both", "dataset": f"{tmp_path}/b.parquet", "column": ["problem", "solution"]},
        f"{tmp_path}/c.json:solution",
        f"{tmp_path}/d.jsonl:turns",
    )
    assert sharing_sets(filter_options, QUESTION) == {"a", "both"}
    assert sharing_sets(filter_options, SHORT) == {"both", "c"}
    assert sharing_sets(filter_options, TURNS[0]["content"]) == {"d"}


@pytest.mark.parametrize("folder", ["exp[k=3]", "a*b", "what?", "[!x]"])
def test_paths_are_literal(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "dataset").mkdir()
    jsonl(tmp_path / folder / "a.jsonl", [{"question": QUESTION}])
    jsonl(tmp_path / folder / "dataset" / "test.jsonl", [{"question": TURNS[0]["content"]}])
    given = {"dataset": f"{tmp_path}/{folder}/dataset", "split": "test", "column": "question"}
    filter_options = options(tmp_path, f"{tmp_path}/{folder}/a.jsonl:question", given)
    assert sharing_sets(filter_options, QUESTION) == {"a"}
    assert sharing_sets(filter_options, TURNS[0]["content"]) == {"dataset"}


def test_chats_as_json_text_and_columns_that_are_not_named(tmp_path: Path) -> None:
    """The n-grams of two turns do not run together, and a column of several types is no obstacle."""
    rows: list[dict[str, Any]] = [
        {"talk": json.dumps(TURNS), "meta": 1},
        {"talk": None, "meta": "x"},
        {"talk": "", "meta": [{}]},
    ]
    filter_options = options(tmp_path, f"{jsonl(tmp_path / 'd.jsonl', rows)}:talk")
    assert sharing_sets(filter_options, TURNS[0]["content"]) == {"d"}


def test_a_set_in_the_form_of_a_hub_repository_with_subsets(tmp_path: Path) -> None:
    repository = tmp_path / "school_math"
    card = ["---", "configs:"]
    for subset, text in {"algebra": QUESTION, "geometry": TURNS[0]["content"]}.items():
        (repository / subset).mkdir(parents=True)
        jsonl(repository / subset / "test.jsonl", [{"problem": text}])
        jsonl(repository / subset / "train.jsonl", [{"problem": SHORT}])
        card += [f"- config_name: {subset}", f"  data_files: [{{split: test, path: {subset}/test.jsonl}}, "]
        card[-1] += f"{{split: train, path: {subset}/train.jsonl}}]"
    (repository / "README.md").write_text("\n".join([*card, "---", ""]))
    given = {"dataset": str(repository), "subset": ["algebra", "geometry"], "split": "test", "column": "problem"}
    filter_options = options(tmp_path, given)
    for text in (QUESTION, TURNS[0]["content"]):
        assert sharing_sets(filter_options, text) == {"school_math"}
    assert check(filter_options, SHORT).reasons == ()  # of the other split


def test_a_set_at_an_address(tmp_path: Path) -> None:
    jsonl(tmp_path / "bees.jsonl", [{"question": QUESTION}])
    serving = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    script = "import sys, pathlib; from skillmill.filters.contamination.filter import Contamination as C; "
    script += "from skillmill.filters.contamination.ngram_index import with_index; "
    script += "print(with_index(C(sets=(sys.argv[1],)), pathlib.Path(sys.argv[2])).index)"
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serving) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/bees.jsonl:question"
        environment = {**os.environ, "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path / "hub")}
        command = [sys.executable, "-c", script, address, str(tmp_path / "fetched")]
        printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        server.shutdown()
    read = options(tmp_path, f"{tmp_path}/bees.jsonl:question").index
    assert read is not None
    assert np.array_equal(np.load(printed.stdout.strip()), np.load(read))


def test_without_sets_nothing_is_read_and_there_are_no_signals(tmp_path: Path) -> None:
    assert check(options(tmp_path), QUESTION) == Verdict()
    off = FiltersConfig(contamination=options(tmp_path, "gsm8k", enabled=False))
    assert "evaluation_ngrams" not in apply_filters(Sample(QUESTION, QUESTION), CELL, off).signals
    assert not (tmp_path / "work").exists()


def test_deciding_again_removes_the_signals_of_other_sets(bees: Contamination) -> None:
    before = apply_filters(Sample(QUESTION, QUESTION), CELL, FiltersConfig())
    judged = apply_filters(before, CELL, FiltersConfig(contamination=bees))
    assert "evaluation_place:bees" in judged.signals
    assert Contamination.reason in judged.reasons
    assert apply_filters(undecided(judged), CELL, FiltersConfig()) == before


class TestIndex:
    def test_is_written_once_and_mapped_after_that(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file = jsonl(tmp_path / "bees.jsonl", [{"question": QUESTION}])
        first = options(tmp_path, f"{file}:question")
        assert first.index is not None
        written = first.index.stat().st_mtime_ns
        monkeypatch.setattr("skillmill.filters.contamination.ngram_index.read_dataset", None)  # calling it would raise
        again = options(tmp_path, f"{file}:question")
        assert again.index == first.index
        assert again.index.stat().st_mtime_ns == written
        assert check(again, QUESTION).reasons

    def test_follows_the_file_and_the_settings(self, tmp_path: Path) -> None:
        file = jsonl(tmp_path / "bees.jsonl", [{"question": QUESTION}])
        first = options(tmp_path, f"{file}:question")
        assert first.index != options(tmp_path, f"{file}:question", report=9).index
        jsonl(file, [{"question": TURNS[0]["content"]}])
        other = options(tmp_path, f"{file}:question")
        assert other.index is not None and other.index != first.index
        assert check(other, QUESTION).reasons == ()
        assert [path.name for path in (tmp_path / "work").iterdir()] == [other.index.name]  # older indexes are deleted

    @pytest.mark.parametrize("damage", [b"", b"not an array", None])
    def test_is_rebuilt_if_it_is_damaged(self, tmp_path: Path, damage: bytes | None) -> None:
        file = jsonl(tmp_path / "bees.jsonl", [{"question": QUESTION}])
        path = options(tmp_path, f"{file}:question").index
        assert path is not None
        whole = path.read_bytes()
        path.write_bytes(whole[:200] if damage is None else damage)
        options(tmp_path, f"{file}:question")
        assert path.read_bytes() == whole

    def test_holds_every_ngram_once(self, tmp_path: Path) -> None:
        file = jsonl(tmp_path / "bees.jsonl", [{"question": QUESTION}] * 5)
        path = options(tmp_path, f"{file}:question").index
        assert path is not None
        words = len(normal_words(QUESTION))
        assert np.load(path).shape == (2, (words - 7) + (words - 12))


class TestFaults:
    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ("gsm9k", "expected FILE:COLUMN, a mapping"),
            ("questions.jsonl", "expected FILE:COLUMN, a mapping"),
            ({"dataset": "owner/name"}, "column"),
            ({"dataset": "owner/name", "column": "q", "fields": 3}, "fields"),
        ],
    )
    def test_an_invalid_set_is_a_validation_error(self, given: Any, message: str) -> None:
        with pytest.raises(ValidationError, match=message):
            Contamination(sets=(given,))

    def test_repeated_names_and_drop_below_report_are_validation_errors(self) -> None:
        with pytest.raises(ValidationError, match="two are named gsm8k"):
            Contamination(sets=("gsm8k", "gsm8k"))
        with pytest.raises(ValidationError, match="at least as many words as report, 8, got 5"):
            Contamination(drop=5)

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("missing.jsonl", None, r"contamination\.sets\.missing: there is no file .*missing\.jsonl"),
            ("bad.jsonl", "{not json\n", r"contamination\.sets\.bad: .* cannot be loaded: "),
            ("empty.jsonl", "", r"contamination\.sets\.empty: .* cannot be loaded: it has no rows$"),
            ("other.jsonl", '{"text": "a"}\n', r"sets\.other: there is no column 'question' in .*, expected of text"),
            ("brief.jsonl", '{"question": "Why bees?"}\n', r"sets\.brief: no text in question of .* has 8 words"),
        ],
    )
    def test_a_file_that_cannot_be_used(self, tmp_path: Path, name: str, content: str | None, message: str) -> None:
        if content is not None:
            (tmp_path / name).write_text(content)
        with pytest.raises(ConfigError, match=message):
            options(tmp_path, f"{tmp_path / name}:question")
        assert not (tmp_path / "work").exists()

    def test_a_set_of_the_hub_that_cannot_be_reached(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"contamination\.sets\.gsm8k: openai/gsm8k cannot be loaded: ") as raised:
            options(tmp_path, "gsm8k")
        assert "\n" not in str(raised.value)


def test_every_shipped_set_is_well_formed() -> None:
    known = Contamination(sets=tuple(known_sets())).sets
    assert [each.name for each in known] == list(known_sets())
    assert {*"alpaca_eval mt_bench wildbench arena_hard ifeval gsm8k math mmlu".split()} <= {*known_sets()}
    assert {each.split_to_read for each in known} == {"train", "validation", "test"}
