"""The event log and the database as a command needs them: opened for one command, closed after it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.hosting.startup import Configuration
from shared.bus.base import Bus
from shared.bus.connect import create_bus
from shared.clock import SystemClock
from shared.db.engine import Database
from shared.events.catalog import all_topics


@asynccontextmanager
async def open_bus(configuration: Configuration) -> AsyncIterator[Bus]:
    """Raises BusUnavailable when the log does not answer."""
    bus = create_bus(configuration.settings, SystemClock())
    await bus.start()
    try:
        await bus.ensure_topics(all_topics())
        yield bus
    finally:
        await bus.stop()


@asynccontextmanager
async def open_database(configuration: Configuration) -> AsyncIterator[Database]:
    database = Database(configuration.settings.database)
    try:
        yield database
    finally:
        await database.close()
