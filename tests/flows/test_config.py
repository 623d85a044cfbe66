"""Bad input gets one clear line that names the key and what was expected."""

from pathlib import Path

import pytest

from skillmill.data.errors import ConfigError
from skillmill.flows.config import Config, load_config


def load(tmp_path: Path, text: str, *overrides: str) -> Config:
    path = tmp_path / "skillmill.yaml"
    path.write_text(text)
    return load_config(path, list(overrides))


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    config = load(tmp_path, "")
    assert config == Config()
    assert config.generation.samples == 200  # both null means this
    assert config.generation.k == {2: 1.0}
    assert config.taxonomy.source == "builtin:language"
    assert config.teacher.max_in_flight == 16
    assert config.filters.empty.enabled


def test_the_file_that_init_writes_is_valid() -> None:
    assert load_config(Path("flows/cli/skillmill.yaml").resolve()).name == "my-data"


def test_the_demo_is_valid() -> None:
    assert load_config(Path("docs/demo.yaml").resolve()).generation.accepted == 16


def test_accepted_alone_has_no_cap_and_with_samples_that_is_the_cap(tmp_path: Path) -> None:
    assert load(tmp_path, "generation: {accepted: 5}").generation.samples is None
    assert load(tmp_path, "generation: {accepted: 5, samples: 9}").generation.samples == 9


def test_overrides_lie_over_the_file(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        "seed: 1\ntaxonomy: builtin:language\nteacher: {sampling: {temperature: 0.1}}",
        "seed=7",
        "generation.k={2: 0.5, 3: 0.5}",
        "teacher.sampling.max_tokens=99",
        "taxonomy.domain=beekeeping",
    )
    assert config.seed == 7
    assert config.generation.k == {2: 0.5, 3: 0.5}
    assert (config.teacher.sampling.temperature, config.teacher.sampling.max_tokens) == (0.1, 99)
    assert (config.taxonomy.source, config.taxonomy.domain) == ("builtin:language", "beekeeping")


def test_paths_in_the_file_are_relative_to_it(tmp_path: Path) -> None:
    config = load(tmp_path, "taxonomy: mine.yaml\nwork_dir: work\noutput_dir: runs/x")
    assert config.taxonomy.source == str(tmp_path / "mine.yaml")
    assert config.work == tmp_path / "work"
    assert config.output == Path("runs/x")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("sede: 3", r"^sede: unknown key, expected one of name, seed, output_dir"),
        ("teacher: {modle: x}", r"^teacher\.modle: unknown key, expected one of kind, model"),
        ("filters: {too_short: {mini: 3}}", r"^filters\.too_short\.mini: unknown key, expected one of"),
        ("seed: many", r"^seed: Input should be a valid integer.*, got 'many'"),
        ("teacher: {kind: gpt}", r"^teacher\.kind: Input should be 'embedded', 'vllm' or 'openai', got 'gpt'"),
        ("teacher: {max_in_flight: 0}", r"^teacher\.max_in_flight: .*greater than or equal to 1, got 0"),
        ("teacher: {sampling: {temperature: -1}}", r"^teacher\.sampling\.temperature: .*, got -1"),
        ("generation: {k: 0}", r"^generation\.k.*0.*greater than or equal to 1"),
        ("generation: {k: two}", r"^generation\.k: expected a whole number or a mixture"),
        ("generation: {k: {1: 0.5, 2: 0.4}}", r"^generation\.k: shares must sum to 1, these sum to 0\.9"),
        ("generation: {samples: -4}", r"^generation\.samples: "),
        ("pairs: {sources: [none]}", r"^pairs\.sources\[0\]: Input should be 'draft', 'brevity'"),
        ("pairs: {sources: [student]}", r"^pairs\.student: expected who answers for the source `student`, such as"),
        (
            "pairs: {sources: [student], student: {modle: x}}",
            r"^pairs\.student\.modle: unknown key, expected one of kind",
        ),
        (
            "pairs: {sources: [low_grade]}",
            r"^pairs\.sources: low_grade .* generation\.generations of at least 2, got 1",
        ),
        ("train: {sft: {dataset: stress}}", r"^train\.sft\.dataset: stress expects export\.stress too"),
        ("export: {stress: {share: 0}}", r"^export\.stress\.share: .*greater than 0, got 0"),
        ("train: {sft: {lora: {rank: 3}}}", r"^train\.sft\.lora\.rank: unknown key"),
        ("taxonomy: dataset", r"^taxonomy\.dataset: expected a name on the Hugging Face hub"),
        ("- a list", r"expected a mapping of keys to values, got list"),
        ("seed: [", r"is not YAML"),
        ("\x00", r"is not YAML"),
        ("a: 1\nb: [", r"skillmill\.yaml:3: is not YAML: did not find expected node content"),
        ("seed: 1\nseed: 2", r"skillmill\.yaml:2: is not YAML: the key 'seed' comes twice"),
        ("name: 2020-13-45", r"is not YAML: month must be in 1\.\.12"),
        ("[" * 5000, r"is not YAML"),
        ("seed: -1", r"^seed: .*greater than or equal to 0, got -1"),
        ("seed: 4294967296", r"^seed: .*less than 4294967296"),
        ("output_dir: ''", r"^output_dir: .*at least 1 character"),
        ("teacher: null", r"^teacher: expected a section of keys and values, got None"),
        ("pairs: {sources: brevity}", r"^pairs\.sources: expected a list, got 'brevity'"),
        ("runner: {lanes: 2}", r"^runner\.lanes: unknown key, expected one of kind, workers, address"),
        ("runner: {address: 'tcp://h:1'}", r"^runner\.address: kind local has no cluster, expected null"),
        ("generation: {kind: skill_mix, refine: needed}", r"^generation\.refine: kind skill_mix has no such option"),
        ("teacher: {kind: openai, model: m}", r"^teacher\.base_url: expected the server's address"),
        ("teacher: {kind: openai, model: m, base_url: 'ftp://h'}", r"^teacher\.base_url: expected an http or https"),
        ("teacher: {kind: openai, base_url: 'http://h/v1'}", r"^teacher\.model: expected the model's name"),
        ("teacher: {sampling: {temprature: 0.5}}", r"^teacher\.sampling\.temprature: .*temperature"),
    ],
)
def test_one_line_names_the_key(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as error:
        load(tmp_path, text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("override", ["seed", "=3", "seed.deep=3", "seed=["])
def test_a_bad_override_is_named(tmp_path: Path, override: str) -> None:
    with pytest.raises(ConfigError, match="--set"):
        load(tmp_path, "seed: 1", override)


def test_a_url_has_its_copy_in_the_cache_or_in_work_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    cached = load(tmp_path, "output_dir: s3://b/run/")
    given = load(tmp_path, "{output_dir: s3://b/run, work_dir: here}")
    assert (cached.work.parent, cached.output) == (tmp_path / "cache" / "skillmill" / "runs", cached.work / "output")
    assert (given.work, given.output) == (tmp_path / "here", tmp_path / "here" / "output")
    assert cached.place(cached.output / "export") == given.place(given.output / "export") == "s3://b/run/export"
    assert given.place(given.output) == "s3://b/run"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the configuration .*nothing\.yaml: No such file"):
        load_config(tmp_path / "nothing.yaml")
