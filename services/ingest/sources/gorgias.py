"""Gorgias: tickets and their CSAT by an HTTP integration with our template. What is null there is `None` here."""

from datetime import datetime
from typing import Any

import msgspec

from services.ingest.scales import is_missing
from services.ingest.sources import rating, shared_secret
from services.ingest.sources.base import (
    Feedback,
    Options,
    Source,
    Translation,
    Unprocessable,
    WebhookRequest,
    accept,
    handshake,
)
from services.ingest.sources.reading import (
    Identifier,
    Person,
    asked_by,
    assigned,
    comment_of,
    from_iso,
    identifier,
    is_unfilled,
    parse_json,
    present,
    shape,
    state_of,
)
from shared.events.catalog import SurveyResponded, TicketChanged

STATUSES = {"open": "open", "closed": "closed"}


class _Survey(msgspec.Struct):
    id: Identifier | None = None
    score: Any = None
    body_text: str | None = None
    scored_datetime: str | None = None


class _Ticket(msgspec.Struct):
    id: Identifier | None = None
    subject: str | None = None
    status: str | None = None
    updated_datetime: str | None = None
    customer: Person | None = None
    assignee_user: Person | None = None
    satisfaction_survey: _Survey | str | None = None


class _Account(msgspec.Struct):
    domain: str | None = None


class _Template(msgspec.Struct):
    ticket: _Ticket
    account: _Account | None = None


def translate(request: WebhookRequest, options: Options, received_at: datetime) -> Translation:
    """One delivery yields the ticket, and the response too where the survey is answered."""
    read = shape(parse_json(request.body), _Template)
    if is_unfilled(read.ticket.id):
        return handshake("The placeholders are not filled in: a test of the integration.")
    about = _about(read, received_at)
    body = request.body
    ticket = read.ticket
    if about["ticket_status"] is None:
        raise Unprocessable("ticket.status is not one of Gorgias's: open, closed.")
    changed = TicketChanged(
        unique_id=state_of(about["ticket_id"], _given(ticket.updated_datetime), body),
        record_id=about["ticket_id"],
        occurred_at=from_iso(_given(ticket.updated_datetime), "ticket.updated_datetime"),
        **about,
    )
    survey = ticket.satisfaction_survey
    response = _response(survey if isinstance(survey, _Survey) else _Survey(), body, about, options)
    events: list[Feedback] = [changed, *([response] if response else [])]
    return accept(*events)


def _response(survey: _Survey, body: bytes, about: dict[str, Any], options: Options) -> SurveyResponded | None:
    """A null score is a survey that was sent and not answered."""
    score = rating.rate_metric("csat", survey.score, options, "ticket.satisfaction_survey.score")
    if score is None:
        return None
    record_id = identifier(survey.id, "ticket.satisfaction_survey.id")
    return SurveyResponded(
        unique_id=state_of(record_id, _given(survey.scored_datetime), body),
        record_id=record_id,
        comment=comment_of(None if survey.body_text == "None" else survey.body_text),
        occurred_at=from_iso(_given(survey.scored_datetime), "ticket.satisfaction_survey.scored_datetime"),
        **rating.fields(score),
        **about,
    )


def _about(read: _Template, received_at: datetime) -> dict[str, Any]:
    ticket = read.ticket
    ticket_id = identifier(ticket.id, "ticket.id")
    customer, assignee = ticket.customer or Person(), ticket.assignee_user or Person()
    domain = _given((read.account or _Account()).domain)
    return {
        "source": "gorgias",
        "received_at": received_at,
        "ticket_id": ticket_id,
        "ticket_status": STATUSES.get((ticket.status or "").strip().lower()),
        "subject": _given(ticket.subject),
        "ticket_url": f"https://{domain}.gorgias.com/app/ticket/{ticket_id}" if domain and domain.isalnum() else None,
        "assignee": assigned(Person(assignee.id, _given(assignee.name), assignee.email), "ticket.assignee_user"),
        **asked_by(customer.email, _given(customer.name), vendor_account_id=domain),
    }


def _given(value: str | None) -> str | None:
    """The text; None where the template wrote a null out."""
    return None if is_missing(value) else present(value)


SOURCE = Source(name="gorgias", verify=shared_secret.verify, translate=translate)
