"""Absences as CSV: one row an absence, read with the line of every mistake.

Columns `person, cover, starts, ends, timezone, reason`. A date in `starts` is the first day away, one in `ends` the
last, both in `timezone` (UTC when empty); an instant such as 2026-12-01T13:00+01:00 is taken as it is.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.commands import csv_file
from services.commands.csv_file import Cells, Columns, Mistake

COLUMNS = ("person", "cover", "starts", "ends", "timezone", "reason")


@dataclass(frozen=True)
class Row:
    """`line` counts from 1, the header included; `cover` None: nobody is named; `ends_at` None: until they are back."""

    line: int
    person: str
    cover: str | None
    starts_at: datetime
    ends_at: datetime | None
    timezone: str
    reason: str


def read(text: str) -> tuple[list[Row], list[Mistake]]:
    """Every row that has the right form, and what is wrong with the others."""
    return csv_file.read(text, Columns(COLUMNS, needed=("person", "starts")), _row)


def _row(line: int, cells: Cells) -> Row:
    cell = {name: cells.get(name, "").strip() for name in COLUMNS}
    zone = _zone(cell["timezone"] or "UTC")
    starts_at = _instant("starts", cell["starts"], zone, whole_day=False)
    ends_at = _instant("ends", cell["ends"], zone, whole_day=True) if cell["ends"] else None
    return Row(line, cell["person"], cell["cover"] or None, starts_at, ends_at, zone.key, cell["reason"])


def _instant(column: str, text: str, zone: ZoneInfo, whole_day: bool) -> datetime:
    try:
        if len(text) <= 10:
            day = date.fromisoformat(text) + timedelta(days=int(whole_day))
            return datetime.combine(day, time.min, zone)
        instant = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise ValueError(f"{column}: {text!r} is no date: write 2026-12-01") from None
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=zone)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"timezone: {name!r} is not known: write for example Europe/Berlin") from None
