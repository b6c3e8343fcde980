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
        self.failures = 0

    def failed(self, why: str, now: datetime) -> None:
        self.failures += 1
        if self.failures >= _FAILURES:
            self.trip(why, now)

    def trip(self, why: str, now: datetime) -> None:
        """Open at once: no message can get through before somebody or something changes."""
        if not self.is_open:
            self.why, self._pause = why, _FIRST
            self.probe_at = now + self._pause

    def still_down(self, why: str, now: datetime) -> None:
        self.why = why
        self._pause = min(self._pause * 2, _LONGEST)
        self.probe_at = now + self._pause

    def close(self) -> None:
        self.failures, self.why, self.probe_at = 0, "", None
