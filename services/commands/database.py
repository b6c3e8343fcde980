"""`closeloop db`: the schema of the database."""

import typer

from migrations import schema
from services.commands.session import open_database
from services.commands.terminal import out, run
from services.hosting.startup import configure

app = typer.Typer(help="The schema of the database.", no_args_is_help=True)


@app.command()
def upgrade() -> None:
    """Bring the database to the revision of this version. Run it before the new version starts."""
    run(_upgrade())


@app.command()
def current() -> None:
    """Show the database's revision and the one this version needs."""
    run(_current())


async def _upgrade() -> None:
    async with open_database(configure()) as database:
        before = await schema.current(database)
        after = await schema.upgrade(database)
    out.print(f"Already at {after}." if before == after else f"Upgraded from {before or 'empty'} to {after}.")


async def _current() -> None:
    async with open_database(configure()) as database:
        found = await schema.current(database)
    out.print(f"database {found or 'empty'}, this version {schema.newest()}")
