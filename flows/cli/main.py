"""The command line: the table of all commands, the environment they run in, and the exit codes.

Only typer is imported at start; each command imports its work when it is called.
"""

import logging
import os
import sys
from collections.abc import Callable
from typing import Any

import typer
from typer.exceptions import Abort, TyperException

from skillmill.data.errors import SkillmillError
from skillmill.flows.cli import clean, deploy, evaluate, filters, publish, refresh, runs, score, steps, taxonomy, train
from skillmill.flows.cli.logging_options import Command, Group
from skillmill.flows.runtime.logs import TerminalHandler, terminal_log

log = logging.getLogger(__name__)

# No analytics leave the machine, whoever starts Prefect. A setting of the user takes precedence.
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
# Prefect's own server takes 18 s to start and Prefect waits for 20: too little on a busy machine.
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "300")
# OpenMP reads this once, when llama.cpp or torch is loaded. Threads that spin at barriers make busy cores several
# times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

COMMANDS: dict[str, Callable[..., None]] = {
    "init": runs.init,
    "plan": runs.plan,
    "preview": runs.preview,
    "run": runs.run,
    "generate": steps.generate,
    "merge": steps.merge,
    "filter": steps.filter_rows,
    "pairs": steps.pairs,
    "export": steps.export,
    "report": steps.report,
    "refresh": refresh.refresh,
    "publish": publish.publish,
    "deploy": deploy.deploy,
    "evaluate": evaluate.evaluate,
    "score": score.score,
    "clean": clean.clean,
    "status": runs.status,
    "doctor": runs.doctor,
}
GROUPS: dict[str, tuple[str, dict[str, Callable[..., None]]]] = {
    "taxonomy": (
        "Make, view, check, merge and split a skill taxonomy.",
        {
            "show": taxonomy.show,
            "check": taxonomy.check,
            "merge": taxonomy.merge,
            "split": taxonomy.split,
            "extract": taxonomy.extract,
        },
    ),
    "train": (
        "Train a student with TRL on the exported dataset.",
        {
            "sft": train.sft,
            "dpo": train.dpo,
            "kto": train.kto,
            "grpo": train.grpo,
            "experts": train.experts,
            "export": train.export,
            "accelerate": train.accelerate,
        },
    ),
    "filters": (
        "Apply skillmill's filters to other files.",
        {"score": filters.score, "calibrate": filters.calibrate},
    ),
}


def _group(text: str, **settings: Any) -> typer.Typer:
    return typer.Typer(cls=Group, no_args_is_help=True, help=text, **settings)


app = _group(
    "Skill-mixing training data for language models: taxonomy, generation, filters, export, training.",
    name="skillmill",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for _name, _function in COMMANDS.items():
    app.command(_name, cls=Command)(_function)
for _name, (_help, _commands) in GROUPS.items():
    _typer = _group(_help)
    for _command, _function in _commands.items():
        _typer.command(_command, cls=Command)(_function)
    app.add_typer(_typer, name=_name)


def main() -> None:
    """Run the command line. Exit 0 success, 1 the run failed, 2 bad usage or configuration, 130 Ctrl-C."""
    with terminal_log() as terminal:
        code = _call(terminal)
    sys.exit(code)


def _call(terminal: TerminalHandler) -> int:
    try:
        code = app(standalone_mode=False) or 0  # Typer turns a Ctrl-C into 130
    except TyperException as error:
        # Parsing ended before all options were read.
        terminal.as_json = terminal.as_json or "--log-json" in sys.argv
        code = _complain_of_usage(error)
    except SkillmillError as error:
        code = _complain(str(error), error.exit_code)
    except (KeyboardInterrupt, Abort):
        code = 130
    except BrokenPipeError:
        code = 1
    if code == 130:
        _complain("stopped; what was finished is kept, run again to go on", code)
    return code


def _complain_of_usage(error: TyperException) -> int:
    message = error.format_message()
    if message.startswith("Usage: "):  # the help of a group that was called without a command
        log.error(message)
        return error.exit_code
    return _complain(f"{message} (--help shows how)", error.exit_code)


def _complain(message: str, code: int) -> int:
    log.error("skillmill: %s", " ".join(message.split()))
    return code
