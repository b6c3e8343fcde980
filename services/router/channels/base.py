"""The port of a channel: what it is asked to do, and every way it may end."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.router.domain.messages import Message


@dataclass(frozen=True, slots=True)
class Sent:
    """The channel has it: `place` and `ts` find it again."""

    place: str
    ts: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """Certainly not accepted; trying again later can work."""

    reason: str


@dataclass(frozen=True, slots=True)
class RateLimited:
    """Certainly not accepted; this kind of call is allowed again after `seconds`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Parked:
    """Certainly not accepted, and not before a person puts something right. `everywhere`: not only here."""

    reason: str
    everywhere: bool = False


@dataclass(frozen=True, slots=True)
class BadMessage:
    """Certainly not accepted: our message is wrong."""

    reason: str


@dataclass(frozen=True, slots=True)
class Gone:
    """The message to change is not there any more, or can no longer be changed (`removed` False)."""

    reason: str
    removed: bool


@dataclass(frozen=True, slots=True)
class Unknown:
    """The answer was lost: it may or may not have been accepted."""

    reason: str


Outcome = Sent | NotSent | RateLimited | Parked | BadMessage | Gone | Unknown


@dataclass(frozen=True, slots=True)
class Reachable:
    """A person of this channel. `place` is where a message reaches them alone; `away` what their own status there says
    of an absence, `away_until` its end where it names one: shown, never obeyed."""

    email: str
    user: str
    place: str
    timezone: str | None = None
    away: str | None = None
    away_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Unreachable:
    email: str
    why: str


@dataclass(frozen=True, slots=True)
class Post:
    """One message to send. `notice_id` marks it, so that it can be found when the answer was lost; `mentions` maps
    e-mails to the channel's users; `again` says that this message was on display before and was removed."""

    notice_id: str
    place: str
    message: Message
    mentions: dict[str, str]
    thread: str | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """A message of ours on display: whose notice's it is, when it came, and whether others answered to it."""

    notice_id: str
    ts: str
    answered: bool = False


@dataclass(frozen=True, slots=True)
class Shelf:
    """One page of what stands in a place; `cursor` asks for the next, empty: there is none."""

    messages: tuple[Standing, ...]
    cursor: str = ""


class Channel(Protocol):
    name: str

    async def person(self, email: str) -> Reachable | Unreachable | NotSent | RateLimited:
        """Who this is in the channel; NotSent and RateLimited when that cannot be told now."""
        ...

    async def group(self, users: tuple[str, ...]) -> str | NotSent | RateLimited | Unreachable:
        """A place that reaches these users together; Unreachable: there is none, NotSent and RateLimited: ask later."""
        ...

    async def send(self, post: Post) -> Outcome: ...

    async def update(self, post: Post, ts: str) -> Outcome:
        """Put the message's newest state where `ts` stands."""
        ...

    async def look(self, notice_id: str, place: str, thread: str | None, since: datetime) -> Sent | Outcome | None:
        """The message of this notice posted since then; None when it is not there; another outcome: cannot tell."""
        ...

    async def standing(self, place: str, thread: str | None, since: datetime, cursor: str = "") -> Shelf | Outcome:
        """Our own messages there posted since then, a page at a time; an outcome when that cannot be told."""
        ...

    async def remove(self, place: str, ts: str) -> Outcome:
        """Take a message of ours away. Gone: it is not there any more, or is not ours to remove (`removed` False)."""
        ...

    async def alive(self) -> str | None:
        """None when the channel takes messages from us, else what is wrong."""
        ...
