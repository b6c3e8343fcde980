"""What the API answers with: cases, journals and accounts as documented JSON."""

from datetime import date, datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from services.router.domain.case import Proof, Severity, Status
from services.router.domain.view import CaseView, EntryView

Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    """`next_cursor` is null on the last page."""

    items: list[Item]
    next_cursor: str | None = None


class _FromValue(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class ResponseOut(_FromValue):
    """One survey answer. `normalised_score` is CSAT 1-5, NPS 0-10 or CES 1-7; `comment` is the customer's raw text."""

    id: str
    source: str
    metric: str
    raw_score: Any = None
    raw_scale: dict[str, Any] | None
    normalised_score: float | None
    comment: str | None
    reasons: list[str]
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
    withdrawn: bool
    revision: int


class AccountBrief(_FromValue):
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


class TouchOut(_FromValue):
    at: datetime
    by: str
    channel: str
    acknowledgement: str | None
    next_step: str | None = Field(description="What the customer was promised.")
    next_step_due: date | None = Field(description="By when.")
    proof: Proof = Field(description="The author's word, the helpdesk's own events, or the customer's.")


class CaseOut(BaseModel):
    """A case. `owner` is an e-mail; `touch_due_at` when the next touch is due; `version` what commands may quote."""

    id: str
    status: Status
    severity: Severity
    version: int
    account_id: str | None
    account_name: str
    owner: str
    owner_reason: str
    covers_for: str | None = Field(description="The absent person for whom the owner covers.")
    support_lead: str | None
    opened_at: datetime
    touch_due_at: datetime | None
    overdue: bool
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    touched_at: datetime | None
    touched_by: str | None
    close_out_due_at: datetime | None
    resolved_at: datetime | None
    resolved_by: str | None
    closed_at: datetime | None
    ended_by: str | None = Field(description="Who closed or dismissed it.")
    snoozed_until: datetime | None
    reopened: int
    merged_into: str | None
    proof: Proof | None = Field(description="What the last touch rests on; null before there is one.")
    promise_kept: bool | None = Field(description="The customer's answer at the close-out, where it was asked.")
    earlier_low: int = Field(description="Flagged responses of the account in the 90 days before this case.")
    policy_version: str
    account: AccountBrief | None
    touch: TouchOut | None
    responses: list[ResponseOut]


class CommandDone(CaseOut):
    """The case after the command. `repeated`: the same was applied before and nothing changed."""

    repeated: bool
    message: str


class EntryOut(_FromValue):
    """A journal entry; `hash` is over the stored bytes of this entry and `prev_hash`."""

    seq: int
    at: datetime
    actor: str
    type: str
    data: dict[str, Any]
    prev_hash: str
    hash: str


class ContactOut(_FromValue):
    email: str
    name: str | None
    role: str


class AccountOut(AccountBrief):
    domains: list[str]
    aliases: dict[str, list[str]]
    contacts: list[ContactOut]
    changed_at: datetime


class UnmatchedOut(_FromValue):
    domain: str
    responses: int
    flagged: int
    last_seen_at: datetime


class DeletionAccepted(BaseModel):
    accepted: Literal[1] = 1
    ids: list[str]


def case_out(view: CaseView, now: datetime) -> CaseOut:
    return CaseOut(**case_members(view, now))


def case_members(view: CaseView, now: datetime) -> dict[str, Any]:
    """The members of a case, for CaseOut and what extends it."""
    case = view.case
    plain = {name: getattr(case, name) for name in CaseOut.model_fields if hasattr(case, name)}
    return {
        **plain,
        "overdue": is_overdue(view, now),
        "earlier_low": view.earlier_low,
        "account": AccountBrief.model_validate(view.account) if view.account else None,
        "touch": TouchOut.model_validate(view.touch) if view.touch else None,
        "responses": [ResponseOut.model_validate(item) for item in view.responses],
    }


def is_overdue(view: CaseView, now: datetime) -> bool:
    """A touch is due and not made."""
    case = view.case
    waiting = case.status in (Status.OPEN, Status.ACKNOWLEDGED)
    return waiting and case.touch_due_at is not None and case.touch_due_at <= now


def entry_out(entry: EntryView) -> EntryOut:
    return EntryOut.model_validate(entry)
