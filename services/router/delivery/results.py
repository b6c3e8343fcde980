"""What became of a call, or of a notice nobody called for: what the senders hand in to be written down."""

from dataclasses import dataclass
from datetime import datetime

from services.router.channels.base import Outcome
from services.router.store.notices import Row


@dataclass(frozen=True, slots=True)
class Posted:
    """A call ended, or another notice's card serves this one too. `not_before`: until then its place is left alone."""

    row: Row
    outcome: Outcome
    rev: int
    ended_at: datetime
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    row: Row
    outcome: Outcome | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Updated:
    """`rows` share one message; `case_ended` decides whether a deleted card is wanted again."""

    rows: tuple[Row, ...]
    outcome: Outcome
    rev: int
    case_ended: bool


@dataclass(frozen=True, slots=True)
class Dropped:
    row: Row
    why: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The recipient cannot be reached."""

    row: Row
    why: str


Result = Posted | Looked | Updated | Dropped | Lost
