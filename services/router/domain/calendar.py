"""Working time, where people live: adding a span that counts only while the office is open, and their time zone."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_HORIZON_DAYS = 3700  # ten years without one working hour is a broken calendar, not a long weekend


@dataclass(frozen=True)
class WorkingCalendar:
    """`hours[weekday]` are the opening intervals of Monday (0) to Sunday, in local time of `zone`."""

    zone: ZoneInfo
    hours: tuple[tuple[tuple[time, time], ...], ...]
    is_day_off: Callable[[date], bool]

    def add(self, start: datetime, span: timedelta) -> datetime:
        """The UTC instant at which `span` of working time after `start` has passed.
        Raises ValueError when the calendar has no working time."""
        left = span
        day = start.astimezone(self.zone).date()
        for _ in range(_HORIZON_DAYS):
            for opens, closes in self._intervals(day):
                begins = max(opens, start)
                if begins >= closes:
                    continue
                if closes - begins >= left:
                    return begins + left
                left -= closes - begins
            day += timedelta(days=1)
        raise ValueError("the calendar has no working time")

    def _intervals(self, day: date) -> list[tuple[datetime, datetime]]:
        if self.is_day_off(day):
            return []
        return [(self._at(day, opens), self._at(day, closes)) for opens, closes in self.hours[day.weekday()]]

    def _at(self, day: date, at: time) -> datetime:
        # Through UTC, so that the span across a change to summer time is real time, not wall time.
        return datetime.combine(day, at, self.zone).astimezone(UTC)


def zone_of(*names: str | None) -> ZoneInfo:
    """The first of these that is a time zone, else UTC."""
    for name in filter(None, names):
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    return ZoneInfo("UTC")
