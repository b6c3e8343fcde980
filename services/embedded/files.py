"""The files of embedded mode: where they lie, and which process holds them."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shared.bus.connect import create_bus
from shared.bus.eventlog import SqliteEventLog
from shared.clock import SystemClock
from shared.db.engine import Database
from shared.errors import ConfigurationError
from shared.settings import Settings

LOCK = "closeloop.lock"


@dataclass(frozen=True)
class EmbeddedFiles:
    """The SQLite database and the event log of one installation; None for what lies elsewhere."""

    database: Path | None
    events: Path | None

    def named(self) -> dict[str, Path]:
        """The files there are to be, by the names they have in a backup."""
        both = {"closeloop.db": self.database, "events.db": self.events}
        return {name: path for name, path in both.items() if path is not None}

    @property
    def lock(self) -> Path | None:
        first = next(iter(self.named().values()), None)
        return None if first is None else first.with_name(LOCK)


def files_of(settings: Settings) -> EmbeddedFiles:
    url = Database(settings.database).url
    in_file = url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:"
    bus = create_bus(settings, SystemClock())
    return EmbeddedFiles(
        database=Path(url.database) if in_file and url.database else None,
        events=bus.path if isinstance(bus, SqliteEventLog) else None,
    )


@contextmanager
def held(settings: Settings, *, alone: bool) -> Iterator[None]:
    """Hold the embedded files, `alone` or beside other processes. Raises ConfigurationError when another process is
    in the way. The system lets go of them when this process ends, however it ends."""
    lock = files_of(settings).lock
    if lock is None:
        yield
        return
    lock.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(lock, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            fcntl.flock(handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigurationError(f"Closeloop is running on {lock.parent}/ already: stop it first") from error
        yield
    finally:
        os.close(handle)
