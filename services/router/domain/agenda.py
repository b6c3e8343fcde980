"""What a person's open cases ask of them, the most urgent first, a page at a time. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum

from services.router.domain.calendar import zone_of

PAGE = 20


class Part(StrEnum):
    """In order of urgency. A touch is due for the first three; `close_out` waits for the customer's word."""

    OVERDUE = "overdue"
    TODAY = "today"
    LATER = "later"
    CLOSE_OUT = "close_out"


@dataclass(frozen=True, slots=True)
class Agenda:
    """How many cases are in each part. `covered` are those a cover has for them, `led` other people's of which they are
    the support lead; `mark` is another whenever any of the own cases has changed, or these counts."""

    counts: Mapping[Part, int]
    covered: int
    mark: str
    led: int = 0

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // PAGE))

    def nearest_page(self, page: int) -> int:
        """The page asked for, counted from 0, or the last one where there are fewer by now."""
        return max(0, min(page, self.pages - 1))


def day_ends(now: datetime, timezone: str | None) -> datetime:
    """The next midnight where the person is."""
    zone = zone_of(timezone)
    tomorrow = now.astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time.min, zone).astimezone(UTC)
