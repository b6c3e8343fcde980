"""Freshdesk: tickets by an automation rule with our template, and ratings relayed from its API."""

from datetime import datetime, timedelta
from typing import Any

import msgspec

from services.ingest.scales import OrdinalScale, Score, ScoreError, is_missing, to_number
from services.ingest.sources import rating, shared_secret
from services.ingest.sources.base import (
    Options,
    Source,
    Translation,
    Unprocessable,
    WebhookRequest,
    accept,
    handshake,
    ignore,
)
from services.ingest.sources.reading import (
    Identifier,
    asked_by,
    comment_of,
    digest,
    email_of,
    from_iso,
    identifier,
    is_unfilled,
    link_of,
    optional_identifier,
    parse_json,
    person,
    present,
    shape,
    state_of,
)
from shared.events.catalog import SurveyResponded, TicketChanged

# Freshdesk's own first retry comes after five minutes.
WINDOW = timedelta(minutes=5)
# By rank: the object does not say whether the survey had 2, 3, 5 or 7 points.
RATINGS = OrdinalScale("csat", (-103, -102, -101, 100, 101, 102, 103), (1, 1.67, 2.33, 3, 3.67, 4.33, 5))
STATUSES = {
    "2": "open",
    "open": "open",
    "3": "pending",
    "pending": "pending",
    "waiting on customer": "pending",
    "waiting on third party": "pending",
    "4": "solved",
    "resolved": "solved",
    "5": "closed",
    "closed": "closed",
}


class _Ticket(msgspec.Struct):
    ticket_id: Identifier | None = None
    ticket_status: Identifier | None = None
    ticket_subject: str | None = None
    ticket_url: str | None = None
    requester_name: str | None = None
    requester_email: str | None = None
    agent_name: str | None = None
    agent_email: str | None = None
    updated_at: str | None = None


class _Rating(msgspec.Struct):
    id: Identifier | None = None
    survey_id: Identifier | None = None
    ticket_id: Identifier | None = None
    agent_id: Identifier | None = None
    feedback: str | None = None
    ratings: dict[str, Any] | None = None
    created_at: str | None = None
    updated_at: str | None = None


def translate(request: WebhookRequest, options: Options, received_at: datetime) -> Translation:
    """The template and https://developers.freshdesk.com/api/#satisfaction-ratings"""
    document = parse_json(request.body)
    if isinstance(document, dict) and "ratings" in document:
        return _rated(shape(document, _Rating), request.body, received_at)
    if isinstance(document, dict):
        document = document.get("freshdesk_webhook", document)
    return _changed(shape(document, _Ticket), digest(request.body), options, received_at)


def _changed(read: _Ticket, unique_id: str, options: Options, received_at: datetime) -> Translation:
    """The rule sends no id and, unless it is added to the template, no time: a ticket resolved, reopened and resolved
    again has the same body twice. Within WINDOW that is one delivery, beyond it another."""
    if is_unfilled(read.ticket_id):
        return handshake("The placeholders are not filled in: a test of the webhook.")
    word = str(read.ticket_status or "").strip().casefold()
    status = options.get("status_text_map", {}).get(word) or STATUSES.get(word)
    ticket_id = identifier(read.ticket_id, "ticket_id")
    if status is None:
        raise Unprocessable("ticket_status is not one of Freshdesk's; map it in status_text_map.")
    return accept(
        TicketChanged(
            source="freshdesk",
            unique_id=unique_id,
            record_id=ticket_id,
            received_at=received_at,
            ticket_id=ticket_id,
            ticket_status=status,
            subject=present(read.ticket_subject),
            ticket_url=link_of(read.ticket_url),
            assignee=person(name=present(read.agent_name), email=email_of(read.agent_email)),
            occurred_at=from_iso(read.updated_at, "updated_at"),
            window=None if present(read.updated_at) else str(int(received_at.timestamp() // WINDOW.total_seconds())),
            **asked_by(read.requester_email, read.requester_name),
        )
    )


def _rated(read: _Rating, body: bytes, received_at: datetime) -> Translation:
    score = _score((read.ratings or {}).get("default_question"))
    if score is None:
        return ignore("The rating has no score.")
    record_id = identifier(read.id, "id")
    when = present(read.updated_at) or present(read.created_at)
    return accept(
        SurveyResponded(
            source="freshdesk",
            unique_id=state_of(record_id, when, body),
            record_id=record_id,
            received_at=received_at,
            comment=comment_of(read.feedback),
            ticket_id=optional_identifier(read.ticket_id, "ticket_id"),
            assignee=person(id=optional_identifier(read.agent_id, "agent_id")),
            occurred_at=from_iso(when, "updated_at"),
            survey_id=optional_identifier(read.survey_id, "survey_id"),
            **rating.fields(score),
        )
    )


def _score(raw: Any) -> Score | None:
    if is_missing(raw):
        return None
    try:
        found = RATINGS.score(raw, to_number(raw, "csat"))
    except ScoreError as wrong:
        raise Unprocessable(f"ratings.default_question: {wrong}.") from None
    return Score(found.metric, raw, {"type": "freshdesk", "values": list(RATINGS.values)}, found.normalised)


SOURCE = Source(name="freshdesk", verify=shared_secret.verify, translate=translate)
