"""Days, weeks and months of a report, in UTC: where each begins and ends."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

_USUAL_LENGTH = {"day": timedelta(days=13), "week": timedelta(weeks=7), "month": timedelta(days=153)}
_MOST_PERIODS = 400


class PeriodKind(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Window:
    """Half-open: from `start` (included) to `end` (not included)."""

    start: datetime
    end: datetime


def start_of(at: datetime, kind: PeriodKind) -> date:
    """The first day of the period that contains the instant; weeks begin on Monday."""
    day = at.astimezone(UTC).date()
    if kind is PeriodKind.WEEK:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if kind is PeriodKind.MONTH else day


def next_start(start: date, kind: PeriodKind) -> date:
    if kind is PeriodKind.MONTH:
        return (start.replace(day=28) + timedelta(days=4)).replace(day=1)
    return start + (timedelta(days=7) if kind is PeriodKind.WEEK else timedelta(days=1))


def window(kind: PeriodKind, first: date | None, last: date | None, now: datetime) -> Window:
    """From the day `first` to the day `last`, both included; without them the last 14 days, 8 weeks or 6 months.
    Raises ValueError when they are in the wrong order or make more than 400 periods."""
    last = last or now.astimezone(UTC).date()
    if first is None:
        reach = min(_USUAL_LENGTH[kind], last - date.min)
        first = start_of(_midnight(last - reach), kind)
    if first > last:
        raise ValueError("`from` lies after `to`")
    if last == date.max or (last - first) / _shortest(kind) > _MOST_PERIODS:
        raise ValueError(f"more than {_MOST_PERIODS} periods: choose a longer period or a shorter range")
    return Window(_midnight(first), _midnight(last + timedelta(days=1)))


def starts(within: Window, kind: PeriodKind) -> Iterator[date]:
    """The first days of all periods the window touches, oldest first."""
    start = start_of(within.start, kind)
    while _midnight(start) < within.end:
        yield start
        start = next_start(start, kind)


def period_window(start: date, kind: PeriodKind) -> Window:
    return Window(_midnight(start), _midnight(next_start(start, kind)))


def _shortest(kind: PeriodKind) -> timedelta:
    return {"day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=28)}[kind]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
