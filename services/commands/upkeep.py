"""`closeloop backup`, `restore` and `retention`: the embedded files over the years."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from services.commands.session import open_bus
from services.commands.terminal import out, run
from services.embedded.backup import restore_backup, write_backup
from services.embedded.files import files_of, held
from services.embedded.retention import apply_retention
from services.hosting.startup import Configuration, configure
from shared.clock import SystemClock
from shared.errors import ConfigurationError


def backup(
    file: Annotated[Path, typer.Argument(help="The archive to write, such as closeloop-backup.tar.gz.")],
) -> None:
    """Copy the embedded files as of this moment into one archive. Everything may go on running."""
    manifest = write_backup(files_of(configure().settings), file, SystemClock().now())
    for name, about in manifest.files.items():
        out.print(f"{name:14} {about['bytes']:>12,} bytes")
    out.print(f"Written to {file}. It holds customer data and no secrets; keep .env and the policy file beside it.")


def restore(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="An archive that `backup` wrote.")],
    force: Annotated[bool, typer.Option("--force", help="Move files that are there aside.")] = False,
) -> None:
    """Put the files of a backup in place. Refused while Closeloop runs."""
    settings = configure().settings
    with held(settings, alone=True):
        aside = restore_backup(file, files_of(settings), SystemClock().now(), force=force)
    for path in aside:
        out.print(f"moved aside: {path}")
    out.print("Restored. `closeloop up` goes on from there; messages sent since the backup may be sent again.")


def retention(
    days: Annotated[
        int | None, typer.Option(min=1, help="Keep so many days [default: CLOSELOOP_RETENTION_DAYS].")
    ] = None,
) -> None:
    """Delete old messages from the embedded event log. Cases, journals and figures stay."""
    configuration = configure()
    span = days or configuration.settings.retention_days
    if not span:
        raise ConfigurationError("CLOSELOOP_RETENTION_DAYS is 0, which keeps everything: set it, or say --days")
    run(_retention(configuration, timedelta(days=span)))


async def _retention(configuration: Configuration, span: timedelta) -> None:
    async with open_bus(configuration) as bus:
        await apply_retention(bus, span)
    out.print(f"Messages older than {span.days} days are deleted from the event log.")
