"""Slack's published rates as token buckets, and the pauses it asks for. Pure.

Source: https://docs.slack.dev/apis/web-api/rate-limits: one message a second per channel, several hundred a minute per
workspace, chat.update is tier 3 (50 a minute). We stay a little under each.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

_ROUNDING = 1e-6
# 50 a minute: conversations.history and .replies, users.lookupByEmail, conversations.open.
_TIER_3 = (40, 0.8)


class Call(StrEnum):
    POST = "post"
    UPDATE = "update"
    LOOK = "look"
    LOOKUP = "lookup"


@dataclass
class Bucket:
    """Holds at most `capacity` tokens; `per_second` are added."""

    capacity: float
    per_second: float
    tokens: float = field(init=False)
    filled_at: datetime | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.tokens = self.capacity

    def wait(self, now: datetime) -> float:
        """Seconds until a token is there; 0 when it is there now."""
        if self.filled_at is not None:
            passed = max(0.0, (now - self.filled_at).total_seconds())
            self.tokens = min(self.capacity, self.tokens + passed * self.per_second)
        self.filled_at = now
        return 0.0 if self.tokens >= 1 - _ROUNDING else (1 - self.tokens) / self.per_second

    def take(self) -> None:
        self.tokens -= 1


class Rates:
    """What may be called now. With `limits` off only the pauses Slack asked for count."""

    def __init__(self, limits: bool = True) -> None:
        self._limits = limits
        self._workspace = Bucket(40, 4.0)
        self._places: dict[str, Bucket] = {}
        self._updates = Bucket(20, 0.75)
        self._tiers = {Call.LOOK: Bucket(*_TIER_3), Call.LOOKUP: Bucket(*_TIER_3)}
        self._paused: dict[Call, datetime] = {}

    def post_wait(self, place: str, now: datetime) -> float:
        """Seconds until a message may be posted there."""
        waits = [self._pause(Call.POST, now)]
        if self._limits:
            bucket = self._places.setdefault(place, Bucket(2, 0.98))
            waits += [bucket.wait(now), self._workspace.wait(now)]
        return max(waits)

    def take_post(self, place: str) -> None:
        if self._limits:
            self._places[place].take()
            self._workspace.take()

    def update_wait(self, now: datetime) -> float:
        return max(self._pause(Call.UPDATE, now), self._updates.wait(now) if self._limits else 0.0)

    def take_update(self) -> None:
        if self._limits:
            self._updates.take()

    def wait(self, call: Call, now: datetime) -> float:
        """Seconds until such a call may be made: of a pause Slack asked for, and by the tier of its method."""
        bucket = self._tiers.get(call) if self._limits else None
        return max(self._pause(call, now), bucket.wait(now) if bucket is not None else 0.0)

    def take(self, call: Call) -> None:
        """One such call is made."""
        if self._limits and call in self._tiers:
            self._tiers[call].take()

    def pause(self, call: Call, now: datetime, seconds: float) -> datetime:
        """Slack said not before then; returns when."""
        until = max(now + timedelta(seconds=seconds), self._paused.get(call, now))
        self._paused[call] = until
        return until

    def _pause(self, call: Call, now: datetime) -> float:
        until = self._paused.get(call)
        return max(0.0, (until - now).total_seconds()) if until is not None else 0.0
