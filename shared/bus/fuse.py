"""The fuse: when everything is suddenly poison the fault is ours, and nothing more must be thrown away (pure)."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(slots=True)
class Fuse:
    """Blows at `limit` dead messages in a row. After `rest` a batch is tried (half open): a good message closes it."""

    limit: int = 20
    rest: timedelta = timedelta(minutes=1)
    dead_in_a_row: int = 0
    blown_at: datetime | None = None
    reason: str = ""

    @property
    def blown(self) -> bool:
        """Blown and not yet closed by a good message: resting or half open."""
        return self.blown_at is not None

    def resting(self, now: datetime) -> bool:
        return self.blown_at is not None and now - self.blown_at < self.rest

    def holds(self, more: int) -> bool:
        """Whether `more` dead messages, after those that have died already, are still single cases."""
        return self.dead_in_a_row + more < self.limit

    def died(self, count: int) -> None:
        self.dead_in_a_row += count

    def succeeded(self) -> None:
        self.dead_in_a_row = 0
        self.blown_at = None

    def blow(self, now: datetime, reason: str) -> None:
        self.blown_at = now
        self.reason = reason
