"""Absences as CSV: one row an absence, read with the line of every mistake.

Columns `person, cover, starts, ends, timezone, reason`. A date in `starts` is the first day away, one in `ends` the
last, both in `timezone` (UTC when empty); an instant such as 2026-12-01T13:00+01:00 is taken as it is.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

COLUMNS = ("person", "cover", "starts", "ends", "timezone", "reason")
_NEEDED = ("person", "starts")


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


@dataclass(frozen=True)
class Mistake:
    line: int
    words: str


def read(text: str) -> tuple[list[Row], list[Mistake]]:
    """Every row that has the right form, and what is wrong with the others."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), restkey="", restval="")
    mistakes = [Mistake(1, words) for words in _wrong_header(reader.fieldnames or [])]
    rows: list[Row] = []
    if mistakes:
        return rows, mistakes
    for cells in reader:
        if not any(cells.values()):
            continue
        try:
            rows.append(_row(reader.line_num, cells))
        except ValueError as wrong:
            mistakes.append(Mistake(reader.line_num, str(wrong)))
    return rows, mistakes


def _wrong_header(names: Sequence[str]) -> Iterator[str]:
    for name in _NEEDED:
        if name not in names:
            yield f"the first line must name the column {name!r}; known are {', '.join(COLUMNS)}"
    for name in names:
        if name not in COLUMNS:
            yield f"column {name!r} is not known; known are {', '.join(COLUMNS)}"


def _row(line: int, cells: Mapping[str, Any]) -> Row:
    if "" in cells:
        raise ValueError("more cells than columns: put a text with a comma in quotes")
    cell = {name: (cells.get(name) or "").strip() for name in COLUMNS}
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
