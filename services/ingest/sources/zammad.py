"""Zammad: tickets whose state changed, sent by a trigger."""

from datetime import datetime, timedelta
from typing import Any

import msgspec

from services.ingest.signatures import ZAMMAD
from services.ingest.sources.base import Options, Source, Translation, Unprocessable, WebhookRequest, accept
from services.ingest.sources.body_signature import verify_by
from services.ingest.sources.options import text
from services.ingest.sources.reading import (
    Identifier,
    asked_by,
    digest,
    email_of,
    from_iso,
    identifier,
    optional_identifier,
    parse_json,
    person,
    present,
    shape,
)
from shared.events.catalog import TicketChanged

DELIVERY = "x-zammad-delivery"
STATUSES = {
    "new": "new",
    "open": "open",
    "pending reminder": "pending",
    "pending close": "pending",
    "closed": "closed",
    "merged": "merged",
    "removed": "deleted",
}
_NOBODY = "1"
_SAME_MOMENT = timedelta(minutes=1)


class _Person(msgspec.Struct):
    id: Identifier | None = None
    firstname: str | None = None
    lastname: str | None = None
    email: str | None = None


class _Named(msgspec.Struct):
    id: Identifier | None = None
    name: str | None = None


class _Ticket(msgspec.Struct):
    id: Identifier | None = None
    number: Identifier | None = None
    title: str | None = None
    state: str | _Named | None = None
    customer: _Person | None = None
    organization: str | _Named | None = None
    owner: _Person | None = None
    updated_at: str | None = None
    close_at: str | None = None


class _Article(msgspec.Struct, rename={"from_": "from"}):
    internal: bool | None = None
    sender: str | None = None
    type: str | None = None
    from_: str | None = None
    created_at: str | None = None
    created_by: str | _Person | None = None


class _Body(msgspec.Struct):
    ticket: _Ticket
    article: _Article | None = None


def translate(request: WebhookRequest, options: Options, received_at: datetime) -> Translation:
    """Shape: zammad/zammad-admin-documentation manage/webhook/payload.rst"""
    body = shape(parse_json(request.body), _Body)
    ticket = body.ticket
    state = ((ticket.state.name if isinstance(ticket.state, _Named) else ticket.state) or "").strip().casefold()
    status = options.get("status_text_map", {}).get(state) or STATUSES.get(state)
    if status is None:
        raise Unprocessable("ticket.state is not one of Zammad's; map it in status_text_map.")
    record_id = identifier(ticket.id, "ticket.id")
    base = options.get("base_url")
    return accept(
        TicketChanged(
            source="zammad",
            unique_id=identifier(request.headers.get(DELIVERY) or digest(request.body), DELIVERY),
            record_id=record_id,
            received_at=received_at,
            ticket_id=optional_identifier(ticket.number, "ticket.number") or record_id,
            ticket_status=status,
            subject=present(ticket.title),
            ticket_url=f"{base}/#ticket/zoom/{record_id}" if base else None,
            assignee=_owner(ticket.owner or _Person()),
            occurred_at=_occurred_at(ticket, status),
            **_reply(body.article or _Article()),
            **_who(ticket),
        )
    )


def _reply(article: _Article) -> dict[str, Any]:
    """What an agent wrote to the customer; notes and what the customer or Zammad itself wrote are no reply."""
    if article.sender != "Agent" or article.internal or article.type in (None, "note"):
        return {}
    name, _, address = (article.from_ or "").partition("<")
    author = article.created_by if isinstance(article.created_by, _Person) else _Person()
    return {
        "replied_at": from_iso(article.created_at, "article.created_at"),
        "replied_by": email_of(author.email) or email_of(address.rstrip("> ")) or _name(author) or present(name),
    }


def _who(ticket: _Ticket) -> dict[str, Any]:
    customer, organization = ticket.customer or _Person(), ticket.organization or _Named()
    if isinstance(organization, str):
        organization = _Named(name=organization)
    return asked_by(
        customer.email,
        _name(customer),
        organization_name=present(organization.name),
        organization_id=optional_identifier(organization.id, "organization.id"),
    )


def _owner(owner: _Person) -> dict[str, Any] | None:
    """Zammad's user 1 stands for nobody."""
    found = optional_identifier(owner.id, "owner.id")
    return None if found == _NOBODY else person(id=found, name=_name(owner), email=email_of(owner.email))


def _occurred_at(ticket: _Ticket, status: str) -> datetime | None:
    """The closing, unless it is that of an earlier time: a ticket closed again keeps the first."""
    updated_at = from_iso(ticket.updated_at, "ticket.updated_at")
    closed_at = from_iso(ticket.close_at, "ticket.close_at") if status == "closed" else None
    if closed_at is None or (updated_at is not None and updated_at - closed_at > _SAME_MOMENT):
        return updated_at
    return closed_at


def _name(who: _Person) -> str | None:
    return present(f"{who.firstname or ''} {who.lastname or ''}")


SOURCE = Source(
    name="zammad",
    verify=verify_by(ZAMMAD),
    translate=translate,
    signature_headers=(ZAMMAD.header,),
    keeps=(DELIVERY,),
    options={"base_url": lambda value: text(value).rstrip("/")},
)
