"""A breaker for one workspace: after several calls in a row without an answer, ask gently until it is back. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

_FAILURES = 5
_FIRST, _LONGEST = timedelta(seconds=1), timedelta(seconds=15)


@dataclass
class Breaker:
    """`why` is empty while calls go through."""

    failures: int = 0
    why: str = ""
    probe_at: datetime | None = None
    _pause: timedelta = _FIRST

    @property
    def is_open(self) -> bool:
        return self.probe_at is not None

    def succeeded(self) -> None:
        self.failures, self._pause = 0, _FIRST

    def failed(self, why: str, now: datetime) -> None:
        self.failures += 1
        if self.failures >= _FAILURES:
            self.trip(why, now)

    def trip(self, why: str, now: datetime) -> None:
        """Open at once: no message can get through before somebody or something changes."""
        if not self.is_open:
            self._wait(why, now)

    def still_down(self, why: str, now: datetime) -> None:
        self._wait(why, now)

    def close(self) -> None:
        """Calls may go through again; until one has succeeded the next pause will be longer than the last."""
        self.failures, self.why, self.probe_at = 0, "", None

    def _wait(self, why: str, now: datetime) -> None:
        self.why, self.probe_at = why, now + self._pause
        self._pause = min(self._pause * 2, _LONGEST)
