"""Deployment of all flows from an installed package, for a worker of the type "process" on this machine."""

import re
from pathlib import Path
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.client.schemas.schedules import CronSchedule
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectNotFound
from prefect.types.entrypoint import EntrypointType

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.flows.config import load_config
from skillmill.flows.deployments.flows import FLOWS
from skillmill.flows.deployments.running import teacher_limit
from skillmill.flows.secret_overrides import refuse_secrets


def deploy(config_path: Path, overrides: list[str], *, cron: str | None, work_pool: str, name: str | None) -> list[str]:
    """Deploy all flows for one configuration and return their full names.

    Workers read the configuration at `config_path` itself, in the working directory of this process. All checks come
    before the first deployment. Raises `ConfigError` if the configuration, the schedule or the work pool is wrong.
    """
    refuse_secrets(overrides)
    config = load_config(config_path, overrides)
    schedule = None if cron is None else _schedule(cron)
    _check_work_pool(work_pool)
    deployment = re.sub(r"[/%&><]", "-", name or config.name)
    _make_limit(teacher_limit(config))
    made = []
    for command, flow in FLOWS.items():
        settings: dict[str, Any] = {"schedule": schedule} if schedule and command == "refresh" else {}
        runner = RunnerDeployment.from_flow(
            flow,
            deployment,
            parameters={"config_path": str(config_path.resolve()), "overrides": overrides},
            concurrency_limit=1,
            tags=["skillmill", command],
            work_pool_name=work_pool,
            job_variables={"working_dir": str(Path.cwd())},
            entrypoint_type=EntrypointType.MODULE_PATH,
            **settings,
        )
        try:
            runner.apply()
        except Exception as fault:  # whatever Prefect raises
            raise SkillmillError(f"deploy: the server refuses {flow.name}/{deployment}: {fault}") from None
        made.append(f"{flow.name}/{deployment}")
    return made


def _schedule(cron: str) -> CronSchedule:
    try:
        return CronSchedule(cron=cron, timezone="UTC")
    except ValueError:
        raise ConfigError(
            f'--cron: expected five fields such as "0 3 * * 1" (Mondays at 03:00 UTC), got {cron!r}'
        ) from None


def _check_work_pool(name: str) -> None:
    with get_client(sync_client=True) as client:
        try:
            pool = client.read_work_pool(name)
        except ObjectNotFound:
            raise ConfigError(
                f"--work-pool: the server has no work pool {name!r}; create it with "
                f"`prefect work-pool create --type process {name}`"
            ) from None
    if pool.type != "process":
        raise ConfigError(f"--work-pool: expected a work pool of the type process, {name!r} is of the type {pool.type}")


def _make_limit(name: str) -> None:
    """Make the limit of one run at a time on a teacher; a limit that is there keeps its number."""
    with get_client(sync_client=True) as client:
        try:
            client.read_global_concurrency_limit_by_name(name)
        except ObjectNotFound:
            client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=1))
