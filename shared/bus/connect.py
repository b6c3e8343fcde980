"""Which bus the settings ask for; the only place that chooses."""

import re
from pathlib import Path

from shared.bus.base import Bus
from shared.bus.eventlog import SqliteEventLog
from shared.bus.kafka import KafkaBus
from shared.clock import Clock
from shared.errors import ConfigurationError
from shared.settings import Settings

_SQLITE = re.compile(r"sqlite(?:\+\w+)?:///(?P<path>[^?]+)")


def create_bus(settings: Settings, clock: Clock) -> Bus:
    """By the scheme of CLOSELOOP_BUS__URL; not started yet. Raises ConfigurationError."""
    scheme, separator, rest = settings.bus.url.partition("://")
    if separator and scheme == "embedded":
        return SqliteEventLog(Path(rest) if rest else _beside(settings.database.url), clock)
    if separator and scheme == "kafka":
        return KafkaBus(settings.bus, clock)
    raise ConfigurationError(
        f'CLOSELOOP_BUS__URL: "{scheme}" is not a bus; write embedded://, embedded:///path/events.db'
        " or kafka://host:9092,host:9092"
    )


def _beside(database_url: str) -> Path:
    found = _SQLITE.match(database_url)
    if found is None or found["path"] == ":memory:":
        raise ConfigurationError(
            "CLOSELOOP_BUS__URL: embedded:// lies beside an SQLite file, and the database is none;"
            " write embedded:///path/events.db or kafka://host:9092"
        )
    return Path(found["path"]).with_name("events.db")
