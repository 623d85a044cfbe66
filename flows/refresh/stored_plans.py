"""The plans of an output directory: `plans/<plan, 8 digits>.json` has what it takes to decide their rows again."""

from typing import Any

import orjson

from skillmill.data.errors import StoreError
from skillmill.data.files import store_errors, write_atomic
from skillmill.flows.config import Config, GenerationConfig
from skillmill.flows.plan import Plan, plan_of_cells
from skillmill.skill_taxonomy.taxonomy import Taxonomy

PLANS = "plans"
"""The folder in `output_dir`."""


def store_plan(config: Config, plan: Plan, taxonomy: Taxonomy) -> None:
    """Store the plan, unless it is stored. Raises `StoreError`."""
    path = config.output / PLANS / f"{plan.fingerprint[:8]}.json"
    if path.exists():
        return
    content = {
        "fingerprint": plan.fingerprint,
        "parts": plan.parts,
        "seed": config.seed,
        "generation": config.generation.model_dump(mode="json"),
        "taxonomy": taxonomy.model_dump(mode="json"),
    }
    with store_errors(f"cannot write {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, orjson.dumps(content, option=orjson.OPT_INDENT_2))


def stored_plan(config: Config, fingerprint: str) -> Plan | None:
    """Return a stored plan, None if it is of a version of skillmill that stored none.

    Its requests have the sampling of then. It can decide rows again, and make them again from the journal, and cannot
    generate: its prompts may have changed since.
    """
    content = _content(config, fingerprint)
    if content is None:
        return None
    sampling = type(config.teacher.sampling).model_validate_json(content["parts"]["teacher.sampling"])
    then = config.model_copy(
        update={
            "seed": content["seed"],
            "generation": GenerationConfig.model_validate(content["generation"]),
            "teacher": config.teacher.model_copy(update={"sampling": sampling}),
        }
    )
    return plan_of_cells(then, Taxonomy.model_validate(content["taxonomy"]), fingerprint, content["parts"])


def stored_parts(config: Config, fingerprint: str) -> dict[str, str] | None:
    """Return the `parts` of a stored plan, None if it is not stored."""
    content = _content(config, fingerprint)
    return content and content["parts"]


def _content(config: Config, fingerprint: str) -> dict[str, Any] | None:
    path = config.output / PLANS / f"{fingerprint[:8]}.json"
    if not path.exists():
        return None
    with store_errors(f"cannot read {path}"):
        text = path.read_bytes()
    try:
        content: dict[str, Any] = orjson.loads(text)
        if content["fingerprint"] == fingerprint:
            return content
    except (orjson.JSONDecodeError, TypeError, KeyError):
        pass
    raise StoreError(f"{path} is not the plan {fingerprint}")
