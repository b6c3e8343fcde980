"""The protocol of a vendor's API: how it is called, what it gives back, and how it may refuse."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from services.ingest.sources.base import Feedback
from shared.errors import CloseloopError, TransientError
from shared.events.catalog import SurveyResponded, TicketChanged

Options = Mapping[str, Any]


class Gone(CloseloopError):
    """The vendor has no such response any more."""


class VendorError(TransientError):
    """Trying again can help; `outcome` is what it is counted as."""

    outcome = "unavailable"


class Refused(VendorError):
    """The vendor takes our credentials no (more): the text tells the administrator what to do. Nothing is lost; what
    waits goes on when it works again."""

    outcome = "refused"


class RateLimited(VendorError):
    """The vendor asks us to come back later."""

    outcome = "rate_limited"

    def __init__(self, text: str, seconds: float) -> None:
        super().__init__(text)
        self.seconds = seconds


class VendorUnavailable(VendorError):
    """The vendor does not answer, or answers with an error of its own."""


@dataclass(frozen=True, slots=True)
class Window:
    """From `since` (inclusive) to `until` by the vendor's clock."""

    since: datetime
    until: datetime


class Post(Protocol):
    async def __call__(self, path: str, body: Any, *, form: bool = False) -> Any: ...


class Api(Protocol):
    """Calls of one vendor. All raise Gone, Refused, RateLimited or VendorUnavailable, and PoisonError for an answer
    that no try again will better. `path` is below the vendor's base address, or a whole link below it. `kept` is what
    a vendor's module need not ask again while the client lives."""

    kept: dict[str, Any]

    async def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any: ...

    async def post(self, path: str, body: Any, *, form: bool = False) -> Any: ...

    async def page(self, path: str, params: Mapping[str, Any] | None = None) -> "Page": ...


@dataclass(frozen=True, slots=True)
class Page:
    """An answer with the link to the next one, from its Link header."""

    body: Any
    next_link: str | None


Needs = Callable[[SurveyResponded], bool]
Enrich = Callable[[Api, SurveyResponded, Options], Awaitable[SurveyResponded]]
EnrichTicket = Callable[[Api, TicketChanged, Options], Awaitable[TicketChanged]]
ListSince = Callable[[Api, Window, Options, datetime], AsyncIterator[SurveyResponded]]
SignIn = Callable[[Post, str], Awaitable[Mapping[str, str]]]


@dataclass(frozen=True, slots=True)
class Vendor:
    """`name` is that of the webhook source. `authorize` makes headers of the API token; `sign_in`, where there is
    one, exchanges it for others, at first and whenever the vendor answers 401. `needs` says which answers are thin;
    `enrich_ticket` says whose a ticket is that ended, and may be rated next, where its webhook does not. `list_since`
    lists the responses of a window as the webhook would have brought them, with `now` as received_at."""

    name: str
    base_url: Callable[[Options], str]
    authorize: Callable[[str], Mapping[str, str]]
    calls_per_minute: int
    needs: Needs = lambda event: False
    enrich: Enrich | None = None
    enrich_ticket: EnrichTicket | None = None
    list_since: ListSince | None = None
    sign_in: SignIn | None = None
    reconcile_every: timedelta = timedelta(minutes=15)
    polled: bool = False
    """The vendor's webhooks carry no ratings at all: asking for them is the normal way, and nothing was lost."""

    def is_asked_about(self, event: Feedback) -> bool:
        """Whether the event lacks what the vendor's API has."""
        if isinstance(event, TicketChanged):
            return self.enrich_ticket is not None and _ended_unknown(event)
        return self.enrich is not None and self.needs(event)


def _ended_unknown(ticket: TicketChanged) -> bool:
    return ticket.ticket_status in ("solved", "closed") and ticket.requester_email is None


ENRICH_WITHIN = timedelta(seconds=60)
RECONCILE_WINDOW = timedelta(hours=24)
RECONCILE_AFTER = timedelta(minutes=5)


def span(options: Options, name: str, default: timedelta) -> timedelta:
    found: timedelta = options.get(name, default)
    return found
