"""What deciding returns: the new case, the journal entries, and effects as values for one place to apply."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from services.router.domain.case import Case, Reply
from services.router.domain.owners import Choice
from services.router.domain.sla import Calendars, Terms
from shared.errors import CloseloopError


class Refused(CloseloopError):
    """The state forbids the command; the text says who was first."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class InvalidCommand(CloseloopError):
    """A field cannot be right; `field` is its name in modal and API."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(f"{field}: {text}")
        self.field = field
        self.text = text


class DeadlineKind(StrEnum):
    GRACE = "grace"
    TOUCH_REMINDER = "touch_reminder"
    TOUCH_DUE = "touch_due"
    ESCALATION = "escalation"
    SNOOZE_END = "snooze_end"
    ACKNOWLEDGEMENT = "acknowledgement"
    CLOSE_OUT = "close_out"
    CLOSE_OUT_REMINDER = "close_out_reminder"
    CLOSE_OUT_OVERDUE = "close_out_overdue"


TOUCH_KINDS = frozenset({DeadlineKind.TOUCH_REMINDER, DeadlineKind.TOUCH_DUE})
CLOSE_OUT_KINDS = frozenset({DeadlineKind.CLOSE_OUT, DeadlineKind.CLOSE_OUT_REMINDER, DeadlineKind.CLOSE_OUT_OVERDUE})
ALL_KINDS = frozenset(DeadlineKind)


class NoticeKind(StrEnum):
    CARD = "card"
    JOINED = "joined"
    REOPENED = "reopened"
    REMINDER = "reminder"
    ESCALATION = "escalation"
    CLOSE_OUT = "close_out"
    CLOSE_OUT_REMINDER = "close_out_reminder"
    NOTE = "note"
    DIGEST = "digest"


class Priority:
    """Lower goes first."""

    ALERT = 0
    ESCALATION = 1
    ACTION = 2
    REMINDER = 3
    BACKGROUND = 4


@dataclass(frozen=True, slots=True)
class Context:
    """What deciding needs beside case and command. `terms` are those a clock started now would get; `chain` the
    people to escalate to, by their place in it; `unfit` says of people why they cannot be given a case now; `reply` is
    the last one on the case's tickets."""

    now: datetime
    terms: Terms
    policy_version: str
    calendars: Calendars
    chain: Mapping[int, Choice] = field(default_factory=dict)
    unfit: Mapping[str, str] = field(default_factory=dict)
    reply: Reply | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A journal entry to be: `data` holds no free text, which goes to `texts` by field name (G10)."""

    type: str
    actor: str
    data: Mapping[str, Any] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StartDeadline:
    kind: DeadlineKind
    due_at: datetime
    clock_id: str | None = None
    step: int = 0


@dataclass(frozen=True, slots=True)
class CancelDeadlines:
    """Of these kinds; with `clock_ids`, only those of these clocks."""

    kinds: frozenset[DeadlineKind]
    clock_ids: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Tell:
    """A notice to the people in `roles` ("owner", "support_lead"), or to the person `to`.
    One person in two roles gets one."""

    kind: NoticeKind
    priority: int
    roles: tuple[str, ...] = ("owner",)
    to: Choice | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    since: datetime | None = None


Effect = StartDeadline | CancelDeadlines | Tell


@dataclass(frozen=True, slots=True)
class Decision:
    """`repeated` means the same command was applied already and nothing changes; `text` is a sentence for people."""

    case: Case
    entries: tuple[Entry, ...] = ()
    effects: tuple[Effect, ...] = ()
    repeated: bool = False
    text: str = ""

    @property
    def tells(self) -> tuple[Tell, ...]:
        return tuple(effect for effect in self.effects if isinstance(effect, Tell))
