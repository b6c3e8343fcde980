"""Zendesk trigger webhooks: the body is our template (docs/sources/zendesk.md), every value a text."""

from datetime import datetime
from typing import Any

import msgspec

from services.ingest.scales import Score
from services.ingest.sources import rating
from services.ingest.sources.base import Options, Translation, Unprocessable, accept, handshake, ignore
from services.ingest.sources.reading import (
    Identifier,
    Person,
    asked_by,
    assigned,
    comment_of,
    digest,
    from_iso,
    identifier,
    link_of,
    optional_identifier,
    present,
    shape,
)
from services.ingest.sources.zendesk_rating import WITHDRAWN, read_rating, status_of, withdrawn
from shared.events.catalog import SurveyResponded, TicketChanged

RATED_EVENT = "csat.rated"
WITHDRAWN_EVENT = "csat.withdrawn"


class _Ticket(msgspec.Struct):
    id: Identifier | None = None
    title: str | None = None
    status: str | None = None
    url: str | None = None
    updated_at: str | None = None


class _Organization(msgspec.Struct):
    id: Identifier | None = None
    name: str | None = None
    external_id: Identifier | None = None


class _Satisfaction(msgspec.Struct):
    rating: Any = None
    comment: str | None = None


class _Template(msgspec.Struct):
    ticket: _Ticket
    event: str | None = None
    requester: Person | None = None
    organization: _Organization | None = None
    assignee: Person | None = None
    satisfaction: _Satisfaction | None = None


def translate(
    document: dict[str, Any], invocation: str | None, body: bytes, options: Options, received_at: datetime
) -> Translation:
    """`event` says what the trigger is for: `csat.rated` yields the response, `csat.withdrawn` its end, anything else
    the ticket, and the response too where the ticket is rated. Raises Unprocessable."""
    read = shape(document, _Template)
    if "{{" in str(read.ticket.id or ""):
        return handshake("The placeholders are not filled in: a test of the webhook, not of the trigger.")
    about = _about(read, identifier(invocation or digest(body), "the invocation id"), options, received_at)
    event = (read.event or "").strip().lower()
    if event == WITHDRAWN_EVENT:
        return accept(withdrawn(about))
    satisfaction = read.satisfaction or _Satisfaction()
    if event == RATED_EVENT:
        score = read_rating(satisfaction.rating, options)
        if score is None:
            return ignore("The survey is offered but not answered yet.")
        return accept(withdrawn(about) if score == WITHDRAWN else _response(score, satisfaction, about))
    score = _rating_by_the_way(satisfaction.rating, options)
    ticket = _ticket(about)
    return accept(ticket, _response(score, satisfaction, about)) if score else accept(ticket)


def _ticket(about: dict[str, Any]) -> TicketChanged:
    if about["ticket_status"] is None:
        raise Unprocessable("ticket.status is not one of Zendesk's; map it in status_text_map.")
    return TicketChanged(record_id=about["ticket_id"], **about)


def _response(score: Score, satisfaction: _Satisfaction, about: dict[str, Any]) -> SurveyResponded:
    return SurveyResponded(
        record_id=f"csat:{about['ticket_id']}",
        comment=comment_of(satisfaction.comment),
        **rating.fields(score),
        **about,
    )


def _rating_by_the_way(raw: Any, options: Options) -> Score | None:
    """A trigger about the ticket carries the rating too, in words that may be "not rated" in any language."""
    try:
        score = read_rating(raw, options)
    except Unprocessable:
        return None
    return None if score == WITHDRAWN else score


def _about(read: _Template, unique_id: str, options: Options, received_at: datetime) -> dict[str, Any]:
    requester, organization = read.requester or Person(), read.organization or _Organization()
    return {
        "source": "zendesk",
        "unique_id": unique_id,
        "received_at": received_at,
        "ticket_id": identifier(read.ticket.id, "ticket.id"),
        "ticket_status": status_of(read.ticket.status, options),
        "subject": present(read.ticket.title),
        "ticket_url": link_of(read.ticket.url),
        "assignee": assigned(read.assignee, "assignee"),
        "occurred_at": from_iso(read.ticket.updated_at, "ticket.updated_at"),
        **asked_by(
            requester.email,
            requester.name,
            organization_id=optional_identifier(organization.id, "organization.id"),
            organization_name=present(organization.name),
            organization_external_id=optional_identifier(organization.external_id, "organization.external_id"),
        ),
    }
