"""The command line: one verb a step, one clear line for what goes wrong."""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.exceptions import Abort, TyperException

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.flows.cli.taxonomy import taxonomy_app

# No analytics leave the machine, whoever starts Prefect; a user's own setting stands.
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
# Prefect's own server takes 18 s to start and Prefect waits for 20: too little on a busy machine.
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "300")
# OpenMP reads this once, when llama.cpp or torch loads: threads that spin at barriers make busy cores several
# times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

app = typer.Typer(
    name="skillmill",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Skill-mixing training data for language models: taxonomy, generation, filters, export, training.",
)
train_app = typer.Typer(no_args_is_help=True, help="Train a student with TRL on the exported dataset.")
filters_app = typer.Typer(no_args_is_help=True, help="Score files of your own with skillmill's filters.")
app.add_typer(taxonomy_app, name="taxonomy")
app.add_typer(train_app, name="train")
app.add_typer(filters_app, name="filters")

ConfigFile = Annotated[Path, typer.Option("-c", "--config", help="The run's configuration, YAML.")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY.PATH=VALUE", help="Lay a value over the file; repeatable.")
]


def main() -> None:
    """Run the command line. Exit 0 success, 1 the run failed, 2 bad usage or configuration, 130 Ctrl-C."""
    try:
        code = app(standalone_mode=False) or 0  # Typer turns a Ctrl-C into 130
    except TyperException as error:
        code = _complain(f"{error.format_message()} (--help shows how)", error.exit_code)
    except SkillmillError as error:
        code = _complain(str(error), error.exit_code)
    except (KeyboardInterrupt, Abort):
        code = 130
    except BrokenPipeError:
        code = 1
    if code == 130:
        _complain("stopped; what was finished is kept, run again to go on", code)
    sys.exit(code)


def _complain(message: str, code: int) -> int:
    print(f"skillmill: {' '.join(message.split())}", file=sys.stderr)
    return code


def _config(path: Path, overrides: list[str] | None) -> Any:
    from skillmill.flows.config import load_config

    return load_config(path, overrides)


@app.command()
def init(directory: Annotated[Path, typer.Argument(help="Where to put skillmill.yaml.")] = Path()) -> None:
    """Write a commented skillmill.yaml to start from.

    Example: skillmill init my-data
    """
    path = directory / "skillmill.yaml"
    if path.exists():
        raise ConfigError(f"{path} is already there; edit it, or choose another directory")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(__file__).parent / "skillmill.yaml", path)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None
    print(f"{path} is written; next: skillmill run -c {path}")


@app.command()
def plan(
    config: ConfigFile,
    probe: Annotated[bool, typer.Option("--probe", help="Ask the first cells for real.")] = False,
    cells: Annotated[int, typer.Option("-n", min=1, help="How many cells --probe asks.")] = 8,
    overrides: Overrides = None,
) -> None:
    """What a run will cost: calls, tokens, money, time.

    Asks nothing of the teacher and writes nothing. --probe asks the first cells; the run has their replies then.

    Example: skillmill plan -c skillmill.yaml --probe
    """
    from skillmill.flows.commands.show import describe_plan

    describe_plan(_config(config, overrides), cells if probe else None)


@app.command()
def preview(
    config: ConfigFile,
    rows: Annotated[int, typer.Option("-n", min=1, help="How many cells.")] = 3,
    overrides: Overrides = None,
) -> None:
    """Make a few rows and show every turn, grade and verdict; writes nothing into output_dir.

    Example: skillmill preview -c skillmill.yaml -n 3
    """
    from skillmill.flows.commands.preview import preview_rows

    preview_rows(_config(config, overrides), rows)


@app.command()
def run(
    config: ConfigFile,
    overrides: Overrides = None,
    prefect: Annotated[bool, typer.Option("--prefect", help="Run as a Prefect flow.")] = False,
) -> None:
    """The whole job: taxonomy, generate, filter, pairs, export, and training where configured.

    Runs as a Prefect flow with --prefect or where PREFECT_API_URL is set. Run it again to go on.

    Example: skillmill run -c skillmill.yaml --set generation.k=3 --set seed=7
    """
    loaded = _config(config, overrides)  # complain before Prefect starts
    if prefect or os.environ.get("PREFECT_API_URL"):
        from skillmill.flows.prefect_run import reach_prefect, skillmill_run  # seconds to import, so only here

        reach_prefect()
        found = skillmill_run(str(config), overrides or [])
    else:
        from skillmill.flows.pipeline import run as plain_run

        found = plain_run(loaded)
    for name, path in found.items():
        print(f"{name:10} {path}")


@app.command()
def generate(config: ConfigFile, overrides: Overrides = None) -> None:
    """Generate rows and decide them, up to the target.

    Example: skillmill generate -c skillmill.yaml --set generation.samples=1000
    """
    from skillmill.flows.steps.generate import generate_step

    outcome = generate_step(_config(config, overrides))
    if outcome.missed:
        raise SkillmillError(outcome.missed)


@app.command("filter")
def filter_rows(config: ConfigFile, overrides: Overrides = None) -> None:
    """Decide stored rows again, by the filters, grading and overrides.jsonl as they stand; generates nothing.

    Asks nobody, but a grader, where grading is switched on, about rows that it has not graded yet.

    Example: skillmill filter -c skillmill.yaml --set filters.too_short.min_words=40
    """
    from skillmill.flows.steps.filter import filter_step

    filter_step(_config(config, overrides))


@app.command()
def pairs(config: ConfigFile, overrides: Overrides = None) -> None:
    """Make preference pairs for the accepted rows.

    Example: skillmill pairs -c skillmill.yaml --set 'pairs.sources=[brevity, junk]'
    """
    from skillmill.flows.steps.pairs import pairs_step

    pairs_step(_config(config, overrides))


@app.command()
def export(config: ConfigFile, overrides: Overrides = None) -> None:
    """Write the Hugging Face dataset folder; asks nothing of the teacher.

    Example: skillmill export -c skillmill.yaml
    """
    from skillmill.flows.steps.export import export_step

    export_step(_config(config, overrides))


@app.command()
def report(config: ConfigFile, overrides: Overrides = None) -> None:
    """Write report.html from what lies in output_dir, and print where the rows fell.

    Example: skillmill report -c skillmill.yaml
    """
    from skillmill.flows.steps.report import report_step

    print(report_step(_config(config, overrides), None, show=True))


@app.command()
def score(
    points: Annotated[Path, typer.Argument(metavar="POINTS", help="A .parquet, .jsonl, .json or .csv, or a run.")],
    out: Annotated[Path, typer.Option("--out", help="The JSON file to write.")],
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", metavar="SKILLS", help="Leave out combinations with them.")
    ] = None,
    naming: Annotated[
        Literal["ignore", "substring", "words"], typer.Option(help="When a skill that is named loses its point.")
    ] = "ignore",
    draws: Annotated[int, typer.Option("--bootstrap", min=100, max=100_000, help="Draws for the intervals.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
) -> None:
    """Skill-Mix metrics of a graded table: Full Marks, All Skills, Skill Fraction.

    A row is one grading of one text. Columns: combination, generation, grading, k, and points, a list of k + 3: one a
    skill, then on topic, makes sense, within the limit. With columns skills and category, metrics per skill and
    category too; with response, --naming. POINTS can also be a run's output_dir that has grades.

    Example: skillmill score points.parquet --out metrics.json

    Example: skillmill score runs/demo --out metrics.json --exclude "metaphor, red herring" --naming words
    """
    from skillmill.flows.commands.score import score as score_points
    from skillmill.train.evaluation.metrics import Bootstrap

    skills = [name.strip() for names in exclude or [] for name in names.split(",")]
    score_points(points, out, skills, naming, Bootstrap(draws, seed))


@app.command()
def status(directory: Annotated[Path, typer.Argument(help="An output_dir.")]) -> None:
    """What a run's directory holds.

    Example: skillmill status runs/demo
    """
    from skillmill.flows.commands.show import describe_directory

    describe_directory(directory)


@app.command()
def doctor() -> None:
    """Whether this machine has what skillmill needs, and what to do where it does not.

    Example: skillmill doctor
    """
    from skillmill.flows.commands.doctor import examine

    raise typer.Exit(examine())


@taxonomy_app.command("extract")
def taxonomy_extract(
    config: ConfigFile,
    source: Annotated[
        Literal["teacher", "dataset"] | None, typer.Option("--from", help="In place of taxonomy.source.")
    ] = None,
    domain: Annotated[str | None, typer.Option("--domain", help="What it is about, any words.")] = None,
    overrides: Overrides = None,
) -> None:
    """Make output_dir/taxonomy.yaml from the configured source, a teacher or a dataset; run it again to go on.

    Example: skillmill taxonomy extract -c skillmill.yaml --from teacher --domain "Kubernetes operations"

    Example: skillmill taxonomy extract -c skillmill.yaml --from dataset --set taxonomy.dataset=tasks.jsonl
    """
    from skillmill.flows.steps.taxonomy import taxonomy_step

    given = {"taxonomy.source": source, "taxonomy.domain": domain}
    laid_over = [f"{key}={json.dumps(value)}" for key, value in given.items() if value is not None]
    loaded = _config(config, [*(overrides or []), *laid_over])
    if (loaded.output / "taxonomy.yaml").exists():
        raise ConfigError(f"{loaded.output / 'taxonomy.yaml'} is already there; it is never overwritten")
    taxonomy_step(loaded)


@train_app.command("sft")
def train_sft(config: ConfigFile, overrides: Overrides = None) -> None:
    """Supervised fine-tuning on configuration sft of the export.

    Example: skillmill train sft -c skillmill.yaml
    """
    from skillmill.flows.steps.train import train_step

    print(train_step(_config(config, overrides), "sft"))


@train_app.command("dpo")
def train_dpo(config: ConfigFile, overrides: Overrides = None) -> None:
    """Direct preference optimisation on configuration preference of the export.

    Example: skillmill train dpo -c skillmill.yaml
    """
    from skillmill.flows.steps.train import train_step

    print(train_step(_config(config, overrides), "dpo"))


InstructionColumn = Annotated[str, typer.Option("--instruction", metavar="COL", help="The column of instructions.")]
ResponseColumn = Annotated[str, typer.Option("--response", metavar="COL", help="The column of answers.")]
RowsFile = Annotated[Path, typer.Argument(help="Rows: .parquet, .jsonl, .json or .csv.")]


@filters_app.command("score")
def filters_score(
    file: RowsFile,
    instruction: InstructionColumn,
    response: ResponseColumn,
    out: Annotated[Path, typer.Option("--out", help="The Parquet file to write.")],
    model: Annotated[Path | None, typer.Option("--model", help="Default: the shipped one.")] = None,
    threshold: Annotated[float | None, typer.Option(min=0, max=1, help="Default: the model's own.")] = None,
) -> None:
    """Add shirker_score (1 is surely low effort), reasons and the signals behind them to any file.

    Example: skillmill filters score rows.jsonl --instruction prompt --response answer --out scored.parquet
    """
    from skillmill.flows.commands.filter_files import score

    score(file, instruction, response, out, model, threshold)


@filters_app.command("calibrate")
def filters_calibrate(
    file: RowsFile,
    instruction: InstructionColumn,
    response: ResponseColumn,
    label: Annotated[str, typer.Option("--label", metavar="COL", help="The column of labels.")],
    group: Annotated[str, typer.Option("--group", metavar="COL", help="Who wrote the answer; left out in turn.")],
    out: Annotated[Path, typer.Option("--out", help="The model to write, JSON.")],
    good: Annotated[str, typer.Option(help="The label of good answers; all others are low effort.")] = "good",
    precision: Annotated[float, typer.Option(min=0.5, max=1, help="What the threshold has to reach.")] = 0.95,
) -> None:
    """Train the shirker model on labelled rows, and print how it does on writers and instructions left out.

    Example: skillmill filters calibrate rows.parquet --instruction instruction --response response --label label \\
    --group model --precision 0.95 --out model.json
    """
    from skillmill.flows.commands.filter_files import calibrate

    calibrate(file, instruction, response, label, good, group, precision, out)


def _not_there_yet(where: typer.Typer, name: str, what: str) -> None:
    @where.command(name, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
    def missing(context: typer.Context) -> None:
        raise ConfigError(f"{context.command_path.replace('skillmill ', '')}: not there yet in this version")

    missing.__doc__ = f"{what} (not there yet in this version).\n\nExample: skillmill {name} -c skillmill.yaml"


_not_there_yet(app, "evaluate", "Skill-Mix evaluation of a student")
_not_there_yet(app, "refresh", "Generate the next range")
