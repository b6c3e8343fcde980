"""`closeloop covers`: who is away and who stands in, from a CSV file, and as a list."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from migrations.schema import require_newest
from services.commands import covers_file, csv_file
from services.commands.csv_file import Mistake
from services.commands.session import open_database
from services.commands.terminal import FAILED, complain, err, out, plain, run
from services.hosting.startup import Configuration, configure
from services.router.cases import Cases, InvalidCommand
from services.router.covering import Absence, Covering, checked
from services.router.domain.absence import until_words
from services.router.domain.calendar import zone_of
from services.router.store import covers
from shared.clock import SystemClock

app = typer.Typer(help="Absences: who stands in for whom.", no_args_is_help=True)


@app.command("import")
def import_covers(
    file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help="Columns: person, cover, starts, ends, timezone, reason."),
    ],
    actor: Annotated[str, typer.Option(help="Who enters them, for the record.")] = "csv",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check the file.")] = False,
) -> None:
    """Import absences. Every row is checked first: with a mistake in the file nothing is imported. What is there
    already is left as it is."""
    absences, mistakes = check(csv_file.text_of(file), actor, SystemClock().now())
    csv_file.refuse(file, mistakes)
    if dry_run:
        out.print(f"{len(absences)} absences are right; nothing was imported (--dry-run).")
        return
    fresh, moved, refused = run(_enter(configure(), absences))
    there = len(absences) - fresh - len(refused)
    out.print(f"{fresh} absences entered, {there} were there already; {moved} cases changed hands.")
    for words in refused:
        complain(words)
    if refused:
        raise typer.Exit(FAILED)


@app.command("list")
def list_covers() -> None:
    """The absences of now and to come."""
    for line in run(_lines(configure())):
        out.print(plain(line))


def check(text: str, actor: str, now: datetime) -> tuple[list[Absence], list[Mistake]]:
    """The absences of a CSV, and every mistake in it by its line."""
    rows, mistakes = covers_file.read(text)
    absences: list[Absence] = []
    for row in rows:
        absence = Absence(
            person=row.person,
            cover=row.cover,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            timezone=row.timezone,
            reason=row.reason,
            source="csv",
            created_by=actor,
        )
        try:
            checked(absence, now)
            absences.append(absence)
        except InvalidCommand as wrong:
            mistakes.append(Mistake(row.line, str(wrong)))
    return absences, mistakes


async def _enter(configuration: Configuration, absences: list[Absence]) -> tuple[int, int, list[str]]:
    """How many are new, how many cases changed hands, and what was refused after all: a cover nobody can reach."""
    fresh = moved = 0
    refused: list[str] = []
    with Progress(console=err, transient=True) as progress:
        task = progress.add_task("Importing", total=len(absences))
        async with open_database(configuration) as database:
            await require_newest(database)
            policy = configuration.policy
            covering = Covering(database, Cases(policy), policy, SystemClock(), lambda: None)
            for absence in absences:
                progress.advance(task)
                try:
                    entered = await covering.enter(absence)
                except InvalidCommand as wrong:
                    refused.append(f"{absence.person}: {wrong.text}")
                    continue
                fresh += entered.fresh
                moved += entered.moved
    return fresh, moved, refused


async def _lines(configuration: Configuration) -> list[str]:
    now = SystemClock().now()
    async with open_database(configuration) as database:
        await require_newest(database)
        async with database.read() as connection:
            records = await covers.listed(connection, now)
    return [
        f"{record.cover.person}: {record.cover.starts_at.astimezone(zone_of(record.cover.timezone)):%Y-%m-%d}"
        f" until {until_words(record.cover, now)},"
        f" covered by {record.cover.cover or 'the next role'}"
        for record in records
    ] or ["Nobody is away."]
