"""Commands that do one step of a run: generate, filter, pairs, export, report."""

from skillmill.data.errors import SkillmillError
from skillmill.flows.cli.options import ConfigFile, Overrides, load


def generate(config: ConfigFile, overrides: Overrides = None) -> None:
    """Generate rows and decide them, up to the target.

    Example: skillmill generate -c skillmill.yaml --set generation.samples=1000
    """
    from skillmill.flows.checks import check_settings
    from skillmill.flows.steps.generate import generate_step

    check_settings(loaded := load(config, overrides))
    outcome = generate_step(loaded)
    if outcome.missed:
        raise SkillmillError(outcome.missed)


def filter_rows(config: ConfigFile, overrides: Overrides = None) -> None:
    """Decide stored rows again by the current filters, grading and overrides.jsonl; generates nothing.

    Sends no requests, except to a grader, if grading is switched on, about rows that it has not graded yet.

    Example: skillmill filter -c skillmill.yaml --set filters.too_short.min_words=40
    """
    from skillmill.flows.steps.filter import filter_step

    filter_step(load(config, overrides))


def pairs(config: ConfigFile, overrides: Overrides = None) -> None:
    """Make preference pairs for the accepted rows.

    Example: skillmill pairs -c skillmill.yaml --set 'pairs.sources=[brevity, junk]'
    """
    from skillmill.flows.steps.pairs import pairs_step

    pairs_step(load(config, overrides))


def export(config: ConfigFile, overrides: Overrides = None) -> None:
    """Write the Hugging Face dataset folder; sends no request to the teacher.

    Example: skillmill export -c skillmill.yaml
    """
    from skillmill.flows.steps.export import export_step

    export_step(load(config, overrides))


def report(config: ConfigFile, overrides: Overrides = None) -> None:
    """Write report.html from the files in output_dir, and print how many rows each reason rejected.

    Example: skillmill report -c skillmill.yaml
    """
    from skillmill.flows.steps.report import report_step

    print(report_step(load(config, overrides), None, show=True))
