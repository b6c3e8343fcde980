"""Slack's published rate limits as token buckets: one message a second per channel, and tiers per method."""

import math
from collections.abc import Callable

PER_MINUTE = {1: 1, 2: 20, 3: 50, 4: 100, 5: 600}
WORKSPACE_MESSAGES_PER_MINUTE = 300


class Bucket:
    """Holds at most `capacity` tokens and refills at `per_second`."""

    def __init__(self, capacity: float, per_second: float, now: float) -> None:
        self.capacity = capacity
        self.per_second = per_second
        self.tokens = capacity
        self.filled_at = now

    def wait(self, now: float) -> float:
        """Seconds until one token is there; 0 when it is there now."""
        self.tokens = min(self.capacity, self.tokens + max(0.0, now - self.filled_at) * self.per_second)
        self.filled_at = now
        return 0.0 if self.tokens >= 1 - 1e-9 else (1 - self.tokens) / self.per_second

    def take(self) -> None:
        self.tokens -= 1


class RateLimits:
    """Says how many whole seconds a caller must wait; 0 means the call was counted and may go on."""

    def __init__(self, clock: Callable[[], float], message_burst: int, enabled: bool = True) -> None:
        self.clock = clock
        self.message_burst = message_burst
        self.enabled = enabled
        self._buckets: dict[str, Bucket] = {}

    def retry_after_method(self, method: str, tier: int) -> int:
        per_minute = PER_MINUTE[tier]
        return self._admit([(f"method:{method}", per_minute, per_minute / 60)])

    def retry_after_message(self, channel: str) -> int:
        workspace = WORKSPACE_MESSAGES_PER_MINUTE
        return self._admit(
            [(f"channel:{channel}", self.message_burst, 1.0), ("workspace", workspace, workspace / 60)],
        )

    def _admit(self, wanted: list[tuple[str, float, float]]) -> int:
        if not self.enabled:
            return 0
        now = self.clock()
        buckets = [
            self._buckets.setdefault(name, Bucket(capacity, per_second, now)) for name, capacity, per_second in wanted
        ]
        wait = max(bucket.wait(now) for bucket in buckets)
        if wait > 0:
            return max(1, math.ceil(wait))
        for bucket in buckets:
            bucket.take()
        return 0

    def reset(self) -> None:
        self._buckets.clear()
