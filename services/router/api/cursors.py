"""Opaque page cursors: where the last page ended, and nothing a client should read."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import TypeVar

Item = TypeVar("Item")
_LONGEST = 1000


class BadCursor(ValueError):
    """The cursor was not made by us."""


def encode(*parts: str) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def decode(cursor: str, parts: int) -> list[str]:
    """Raises BadCursor unless it holds exactly that many texts."""
    try:
        if len(cursor) > _LONGEST:
            raise BadCursor("too long")
        raw = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        found = json.loads(raw.decode())
    except (ValueError, binascii.Error, RecursionError) as wrong:
        raise BadCursor("not a cursor of this list") from wrong
    usable = isinstance(found, list) and len(found) == parts and all(isinstance(part, str) for part in found)
    if not usable or not all(_storable(part) for part in found):
        raise BadCursor("not a cursor of this list")
    return found


def cut(found: Sequence[Item], limit: int, cursor_of: Callable[[Item], str]) -> tuple[Sequence[Item], str | None]:
    """A page of what was `found` when one more than `limit` was asked for, and the cursor of the next; None on the
    last."""
    shown = found[:limit]
    return shown, cursor_of(shown[-1]) if len(found) > limit else None


def _storable(text: str) -> bool:
    """A database can compare with it: no NUL, no half of a surrogate pair."""
    return "\0" not in text and text.encode("utf-8", "ignore").decode() == text


def encode_line(period: date, group: str) -> str:
    return encode(period.isoformat(), group)


def decode_line(cursor: str) -> tuple[date, str]:
    """Raises BadCursor."""
    day, group = decode(cursor, 2)
    try:
        period = date.fromisoformat(day)
    except ValueError as wrong:
        raise BadCursor("not a cursor of this list") from wrong
    if period.year == date.max.year:
        raise BadCursor("a period that cannot end")
    return period, group


def decode_name(cursor: str) -> str:
    """Raises BadCursor."""
    return decode(cursor, 1)[0]


def encode_place(at: datetime, id_: str) -> str:
    return encode(at.astimezone(UTC).isoformat(), id_)


def decode_place(cursor: str) -> tuple[datetime, str]:
    """Raises BadCursor."""
    at, id_ = decode(cursor, 2)
    try:
        instant = datetime.fromisoformat(at).astimezone(UTC)
    except (ValueError, OverflowError) as wrong:
        raise BadCursor("not a cursor of this list") from wrong
    return instant, id_
