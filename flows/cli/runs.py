"""Commands about a whole run: init, plan, preview, run, status; and doctor, about this machine."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from skillmill.data.errors import ConfigError
from skillmill.flows.cli.options import ConfigFile, OutputDirectory, Overrides, load
from skillmill.flows.prefect_address import prefect_address


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


def plan(
    config: ConfigFile,
    probe: Annotated[bool, typer.Option("--probe", help="Generate the first cells and measure them.")] = False,
    cells: Annotated[int, typer.Option("-n", min=1, help="How many cells --probe generates.")] = 8,
    overrides: Overrides = None,
) -> None:
    """Predict what a run costs: calls, tokens, money, time.

    Sends no request to the teacher and writes nothing. --probe generates the first cells; the run reuses their replies.

    Example: skillmill plan -c skillmill.yaml --probe
    """
    from skillmill.flows.commands.plan import describe_plan

    describe_plan(load(config, overrides), cells if probe else None)


def preview(
    config: ConfigFile,
    rows: Annotated[int, typer.Option("-n", min=1, help="How many cells.")] = 3,
    overrides: Overrides = None,
) -> None:
    """Make a few rows and show every turn, grade and verdict; writes nothing into output_dir.

    Example: skillmill preview -c skillmill.yaml -n 3
    """
    from skillmill.flows.commands.preview import preview_rows

    preview_rows(load(config, overrides), rows)


def run(
    config: ConfigFile,
    overrides: Overrides = None,
    prefect: Annotated[bool, typer.Option("--prefect", help="Run as a Prefect flow.")] = False,
) -> None:
    """Do the whole job: taxonomy, generate, filter, pairs, export, and training where configured.

    Runs as a Prefect flow with --prefect, or if PREFECT_API_URL is set, in the environment or in the active Prefect
    profile. Run it again to continue.

    Example: skillmill run -c skillmill.yaml --set generation.k=3 --set seed=7
    """
    loaded = load(config, overrides)  # report errors before Prefect starts
    if prefect or prefect_address():
        from skillmill.flows.secret_overrides import refuse_secrets

        refuse_secrets(overrides or [])
        from skillmill.flows.prefect_run import reach_prefect, run_as_flow  # Prefect takes seconds to import

        reach_prefect()
        results = run_as_flow(str(config), overrides or [])
    else:
        from skillmill.flows.pipeline import run as run_steps

        results = run_steps(loaded)
    for name, path in results.items():
        print(f"{name:10} {loaded.place(path)}")


def status(directory: OutputDirectory) -> None:
    """Show what a run's directory holds.

    Example: skillmill status runs/demo
    """
    from skillmill.flows.commands.status import describe_directory

    describe_directory(directory)


def doctor() -> None:
    """Check that this machine has what skillmill needs, and say what to do if it does not.

    Example: skillmill doctor
    """
    from skillmill.flows.commands.doctor import examine

    raise typer.Exit(examine())
