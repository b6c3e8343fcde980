"""Channel-neutral messages: parts of a line, fields and actions that each channel draws in its own way."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ActionId(StrEnum):
    """What a person can ask for from a message. Ids of buttons already posted: they never change."""

    ACKNOWLEDGE = "case.acknowledge"
    LOG_TOUCH = "case.log_touch"
    REASSIGN = "case.reassign"
    SNOOZE = "case.snooze"
    RESOLVE = "case.resolve"
    CONFIRM_CLOSED = "case.confirm_closed"
    STILL_OPEN = "case.still_open"
    REOPEN = "case.reopen"
    DISMISS = "case.dismiss"
    REVEAL = "case.reveal"


class HomeAction(StrEnum):
    """Turns the pages of a Home tab. Ids already published: they never change."""

    PREVIOUS = "home.previous"
    NEXT = "home.next"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of ours, by e-mail; a channel may turn it into a mention."""

    email: str


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment, shown in the reader's own time zone where the channel can."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Link:
    """`url` None is shown as plain text."""

    text: str
    url: str | None


@dataclass(frozen=True, slots=True)
class Strong:
    text: str


Part = str | Person | Instant | Link | Strong
Line = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Quote:
    """The customer's words; `more` is where the rest can be read when `text` was cut."""

    text: str
    cut: bool = False
    more: str | None = None


@dataclass(frozen=True, slots=True)
class Field:
    label: str
    value: Line


@dataclass(frozen=True, slots=True)
class Action:
    """`confirm` asks once more before it is done."""

    id: ActionId
    label: str
    primary: bool = False
    confirm: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """`text` is one sentence for push notifications and screen readers; `mention` are e-mails of who must act."""

    case_id: str
    rev: int
    headline: Line
    text: str
    quote: Quote | None = None
    lines: tuple[Line, ...] = ()
    fields: tuple[Field, ...] = ()
    context: tuple[Line, ...] = ()
    buttons: tuple[Action, ...] = ()
    overflow: tuple[Action, ...] = ()
    mention: tuple[str, ...] = ()
