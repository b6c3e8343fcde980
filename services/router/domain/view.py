"""A case with everything people need to act on it, as values: what cards, pages and the API are made from."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from services.router.domain.case import Case


@dataclass(frozen=True, slots=True)
class AccountView:
    id: str
    name: str
    tier: str | None
    segment: str | None
    arr: float | None
    currency: str | None
    renewal_date: date | None
    csm: str | None
    csm_manager: str | None
    support_lead: str | None


@dataclass(frozen=True, slots=True)
class ResponseView:
    """`normalised_score` is CSAT 1-5, NPS 0-10 or CES 1-7; `reasons` the sentences that flagged it; `comment` is
    the customer's raw text (escape it where it is shown)."""

    id: str
    source: str
    metric: str
    raw_score: Any
    raw_scale: dict[str, Any] | None
    normalised_score: float | None
    comment: str | None
    ticket_id: str | None
    ticket_url: str | None
    ticket_status: str | None
    subject: str | None
    requester_email: str | None
    requester_name: str | None
    requester_role: str | None
    occurred_at: datetime
    received_at: datetime
    flagged_at: datetime | None
    reasons: tuple[str, ...]
    withdrawn: bool
    revision: int
    detected_by: str = "webhook"


@dataclass(frozen=True, slots=True)
class TouchView:
    """The last touch: what was acknowledged, what was promised and by when, and what it rests on."""

    at: datetime
    by: str
    channel: str
    acknowledgement: str | None
    next_step: str | None
    next_step_due: date | None
    proof: str = "claimed"


@dataclass(frozen=True, slots=True)
class EntryView:
    """One journal entry with its free text put back ("[erased]" where it was erased)."""

    seq: int
    at: datetime
    actor: str
    type: str
    data: dict[str, Any]
    prev_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class AwayView:
    """What somebody's status in the channel said of an absence when it was last looked at: a hint, nothing more."""

    words: str
    until: datetime | None
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class CaseView:
    """`responses` newest first; `earlier_low` counts the account's other flagged responses of the last 90 days;
    `last_entry` is the newest entry that people would care about; `owner_away` what the owner's status hints at."""

    case: Case
    account: AccountView | None
    responses: tuple[ResponseView, ...]
    touch: TouchView | None
    earlier_low: int
    last_entry: EntryView | None
    owner_away: AwayView | None = None
