"""Faults a test or a person injects into the Web API, matched per call and used up by count or by chance."""

import random
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class FaultKind(StrEnum):
    RATE_LIMITED = "429"
    SERVER_ERROR = "500"
    HTML_503 = "503_html"
    HTML_200 = "200_html"
    EMPTY_200 = "200_empty"
    DELAY_AFTER_STORING = "delay_after_storing"
    DROP_AFTER_STORING = "drop_after_storing"
    DROP_BEFORE_STORING = "drop_before_storing"
    OK_FALSE = "ok_false"
    HISTORY_LAG = "history_lag"
    OUTAGE = "outage"


@dataclass
class Fault:
    """One injected fault.

    `method` is a Web API method or `*`; `count` is how many calls it still hits (None: until cleared);
    `probability` (0 to 1) is drawn from `seed`; `seconds` is the delay or the lag; `stored` makes 500, 503_html,
    200_html, 200_empty (no more than ok) and ok_false answer only after the call took effect; `channel` limits it to
    calls naming that channel.
    """

    kind: FaultKind
    method: str = "*"
    count: int | None = None
    probability: float = 1.0
    seed: int = 0
    retry_after: int = 1
    seconds: float = 0.0
    error: str = "internal_error"
    stored: bool = False
    channel: str = ""
    hits: int = 0
    id: int = 0
    _dice: random.Random = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.kind = FaultKind(str(self.kind))
        if not 0 <= self.probability <= 1:
            raise ValueError("probability must lie between 0 and 1")
        if self.count is not None and self.count < 1:
            raise ValueError("count must be at least 1")
        self._dice = random.Random(self.seed)  # noqa: S311 - reproducible chance, not secrecy

    def hit(self) -> bool:
        """Draws; True uses one of `count` up."""
        if self._dice.random() >= self.probability:
            return False
        self.hits += 1
        if self.count is not None:
            self.count -= 1
        return True

    @property
    def spent(self) -> bool:
        return self.count == 0

    def as_dict(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if not key.startswith("_")}


class FaultBox:
    """The faults in force, oldest first."""

    def __init__(self) -> None:
        self.active: list[Fault] = []
        self._last_id = 0

    def inject(self, kind: str, **options: Any) -> Fault:
        """Adds a fault; raises ValueError or TypeError for an unknown kind, option or range."""
        self._last_id += 1
        fault = Fault(kind=FaultKind(str(kind)), id=self._last_id, **options)
        self.active.append(fault)
        return fault

    def clear(self, kind: str | None = None) -> None:
        self.active = [] if kind is None else [fault for fault in self.active if fault.kind != kind]

    def take(self, method: str, channel: str) -> Fault | None:
        """The fault this call suffers, if any; an outage beats every other."""
        if self.outage:
            return next(fault for fault in self.active if fault.kind is FaultKind.OUTAGE)
        for fault in self.active:
            if fault.kind is FaultKind.HISTORY_LAG or fault.method not in ("*", method):
                continue
            if fault.channel and fault.channel != channel:
                continue
            if fault.hit():
                self.active = [other for other in self.active if not other.spent]
                return fault
        return None

    @property
    def outage(self) -> bool:
        return any(fault.kind is FaultKind.OUTAGE for fault in self.active)

    @property
    def history_lag(self) -> float:
        """Seconds by which conversations.history and .replies lag behind."""
        return max((fault.seconds for fault in self.active if fault.kind is FaultKind.HISTORY_LAG), default=0.0)
