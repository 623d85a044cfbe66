"""The command clean: free the disk of what no version that is kept needs."""

from typing import Annotated

import typer

from skillmill.flows.cli.options import OutputDirectory


def clean(
    directory: OutputDirectory,
    versions: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Keep the newest N versions. Default: retention.versions.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")] = False,
) -> None:
    """Delete the shards and the journalled replies of plans that no kept version has.

    Cells that were tried and signatures for near-duplicates stay, so that nothing is generated twice.

    Example: skillmill clean runs/demo --versions 3 --dry-run
    """
    from skillmill.flows.commands.clean import clean as clean_directory

    freed = clean_directory(directory, versions, dry_run)
    print(f"{freed:,} bytes {'would be' if dry_run else 'are'} free")
