"""The command publish: the newest version of a run on the Hugging Face Hub."""

from typing import Annotated

import typer

from skillmill.flows.cli.options import ConfigFile, Overrides, load


def publish(
    config: ConfigFile,
    overrides: Overrides = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be sent; only read the Hub.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Publish openly without teacher.license.")] = False,
    parent: Annotated[
        str | None, typer.Option(metavar="SHA", help="Replace the files of this commit, which somebody else made.")
    ] = None,
) -> None:
    """Publish the newest version in export.repo_id on the Hugging Face Hub: one commit and a tag.

    The token is that of the variable HF_TOKEN. Run it again to finish a publication that was interrupted.

    Example: skillmill publish -c skillmill.yaml --dry-run
    """
    loaded = load(config, overrides)
    from skillmill.flows.commands.publish import preview_publication  # huggingface_hub takes a second to import
    from skillmill.flows.commands.publish import publish as publish_version

    if dry_run:
        for line in preview_publication(loaded, parent=parent):
            print(line)
        return
    result = publish_version(loaded, parent=parent, without_license=yes)
    print(f"{result.version:10} {result.url}")
