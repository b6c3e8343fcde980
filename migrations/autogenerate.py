"""Writes the next revision, what models have and revisions lack: `python -m migrations.autogenerate "Its message"`."""

import asyncio
import re
import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from migrations.schema import configuration, upgrade
from shared.db.engine import Database
from shared.settings import DatabaseSettings

VERSIONS = Path(__file__).with_name("versions")


async def write_revision(message: str) -> Path:
    """Compare a scratch SQLite database with the models, and write down the difference, to be read by a person."""
    number = f"{len(list(VERSIONS.glob('[0-9]*.py'))) + 1:04}"
    with tempfile.TemporaryDirectory() as scratch:
        database = Database(DatabaseSettings(url=f"sqlite+aiosqlite:///{scratch}/scratch.db"))
        try:
            if number != "0001":
                await upgrade(database)
            async with database.transaction() as connection:
                await connection.run_sync(_write, message, number)
        finally:
            await database.close()
    return next(VERSIONS.glob(f"{number}_*.py"))


def _write(connection: Connection, message: str, number: str) -> None:
    config = configuration(connection)
    # Whole tables need no batches: those are for altering a table, which SQLite cannot.
    config.attributes["batch"] = bool(ScriptDirectory.from_config(config).get_bases())
    command.revision(config, message, autogenerate=True, rev_id=number)
    written = next(VERSIONS.glob(f"{number}_*.py"))
    text = re.sub(r'sa\.text\(["\']\((\w+)\)["\']\)', r'sa.text("\1")', written.read_text())
    written.write_text(re.sub(r"\n *# ###.*", "", text))


if __name__ == "__main__":
    print(asyncio.run(write_revision(" ".join(sys.argv[1:]) or sys.exit(str(__doc__)))))  # noqa: T201
