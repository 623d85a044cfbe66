"""The command deploy: all flows as deployments of a Prefect server."""

from typing import Annotated

import typer

from skillmill.data.errors import ConfigError
from skillmill.flows.cli.options import ConfigFile, Overrides
from skillmill.flows.prefect_address import prefect_address


def deploy(
    config: ConfigFile,
    overrides: Overrides = None,
    cron: Annotated[str | None, typer.Option(metavar="CRON", help="When to refresh, in UTC.")] = None,
    work_pool: Annotated[str, typer.Option(metavar="NAME", help="A work pool of the type process.")] = "skillmill",
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="The name of the deployments. Default: that of the run.")
    ] = None,
) -> None:
    """Deploy all flows for one configuration on the Prefect server of PREFECT_API_URL; needs no clone.

    Workers read the configuration where it is, and run in the directory of this command.

    Example: skillmill deploy -c skillmill.yaml --cron "0 3 * * 1" --work-pool skillmill
    """
    if not prefect_address():
        raise ConfigError(
            "PREFECT_API_URL: expected the address of a Prefect server, such as http://127.0.0.1:4200/api; start one "
            "with `prefect server start`"
        )
    from skillmill.flows.deployments.deploy import deploy as deploy_flows  # Prefect takes seconds to import
    from skillmill.flows.prefect_run import reach_prefect

    reach_prefect()
    for made in deploy_flows(config, overrides or [], cron=cron, work_pool=work_pool, name=name):
        print(f"deployed   {made}")
    print(f"next: prefect worker start --pool {work_pool}")
