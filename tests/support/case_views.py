"""Case views for tests of what people are shown: any case, account and response, with sensible parts."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from services.router.domain.case import Status
from services.router.domain.view import AccountView, CaseView, EntryView, ResponseView, TouchView
from tests.support.domain import ANA, LEA, NOON, opened

ACCOUNT = AccountView(
    "acme", "Acme Ltd", "gold", "enterprise", 1_200_000.0, "EUR", date(2027, 1, 15), ANA, "max@us.example", LEA
)


def response(**facts: Any) -> ResponseView:
    data: dict[str, Any] = {
        "id": "r1",
        "source": "zendesk",
        "metric": "csat",
        "raw_score": 2,
        "raw_scale": {"type": "integer", "min": 1, "max": 5},
        "normalised_score": 2,
        "comment": "The export fails every morning",
        "ticket_id": "51612",
        "ticket_url": "https://desk.example/t/51612",
        "ticket_status": "solved",
        "subject": "Export fails",
        "requester_email": "dora@acme.example",
        "requester_name": "Dora Diaz",
        "requester_role": "economic_buyer",
        "occurred_at": NOON,
        "received_at": NOON,
        "flagged_at": NOON,
        "reasons": ("CSAT 2 of 5 is at or below 3",),
        "withdrawn": False,
        "revision": 1,
    }
    return ResponseView(**{**data, **facts})


def view(status: Status = Status.OPEN, responses: tuple[ResponseView, ...] | None = None, **facts: Any) -> CaseView:
    """A case in this state; `facts` replace fields of the view, `case_facts` those of its case."""
    case_facts = facts.pop("case_facts", {})
    case = replace(opened().case, status=status, version=7, **case_facts)
    if status not in (Status.OPEN, Status.ACKNOWLEDGED) and "clocks" not in case_facts:
        case = replace(case, clocks=tuple(replace(clock, touched_at=NOON) for clock in case.clocks), touched_at=NOON)
        case = replace(case, close_out_due_at=NOON + timedelta(days=7))
    data: dict[str, Any] = {
        "case": case,
        "account": ACCOUNT,
        "responses": (response(),) if responses is None else responses,
        "touch": None,
        "earlier_low": 2,
        "last_entry": None,
    }
    return CaseView(**{**data, **facts})


def entry(type: str, actor: str = ANA, **data: Any) -> EntryView:
    return EntryView(3, NOON, actor, type, data, "", "")


def touch(**facts: Any) -> TouchView:
    data: dict[str, Any] = {
        "at": NOON,
        "by": ANA,
        "channel": "call",
        "acknowledgement": "You lost a morning; that is on us.",
        "next_step": "A fixed export",
        "next_step_due": date(2026, 11, 6),
    }
    return TouchView(**{**data, **facts})
