"""Intercom: conversations and tickets closed or reopened, and conversation ratings from 1 to 5."""

from datetime import datetime
from typing import Any

import msgspec

from services.ingest.signatures import INTERCOM
from services.ingest.sources import rating
from services.ingest.sources.base import (
    Feedback,
    Options,
    Source,
    Translation,
    Unprocessable,
    WebhookRequest,
    accept,
    handshake,
    ignore,
)
from services.ingest.sources.body_signature import verify_by
from services.ingest.sources.reading import (
    Identifier,
    Person,
    asked_by,
    comment_of,
    email_of,
    from_epoch,
    identifier,
    link_of,
    optional_identifier,
    parse_json,
    person,
    present,
    shape,
)
from shared.events.catalog import SurveyResponded, TicketChanged

RATING_TOPICS = ("conversation.rating.added", "ticket.rating.provided")
DELETED = "conversation.deleted"
CONVERSATION_TOPICS = (
    "conversation.admin.closed",
    "conversation.admin.opened",
    "conversation.admin.snoozed",
    "conversation.admin.unsnoozed",
    "conversation.operator.closed",
    DELETED,
)
REPLY_TOPICS = ("conversation.admin.replied", "ticket.admin.replied")
TICKET_TOPICS = ("ticket.closed", "ticket.resolved", "ticket.state.updated")

CONVERSATION_STATES = {"open": "open", "closed": "closed", "snoozed": "pending"}
TICKET_CATEGORIES = {
    "submitted": "new",
    "in_progress": "open",
    "waiting_on_customer": "pending",
    "on_hold": "pending",
    "resolved": "solved",
}
TICKET_STATUS_BY_TOPIC = {"ticket.closed": "closed", "ticket.resolved": "solved"}

Epoch = int | float | str


class _Person(Person):
    type: str | None = None
    external_id: Identifier | None = None


class _Contacts(msgspec.Struct):
    contacts: list[_Person] | None = None


class _Message(msgspec.Struct):
    subject: str | None = None
    author: _Person | None = None


class _Rating(msgspec.Struct):
    rating: Any = None
    remark: str | None = None
    created_at: Epoch | None = None


class _Part(msgspec.Struct):
    """A part of a conversation or of a ticket."""

    part_type: str | None = None
    body: str | None = None
    created_at: Epoch | None = None
    author: _Person | None = None


class _Parts(msgspec.Struct):
    conversation_parts: list[_Part] | None = None
    ticket_parts: list[_Part] | None = None


class _TicketState(msgspec.Struct):
    category: str | None = None


class _Item(msgspec.Struct):
    """A conversation or a ticket, of old and of new API versions; of a deleted one little more than its id."""

    id: Identifier | None = None
    conversation_id: Identifier | None = None
    ticket_id: Identifier | None = None
    title: str | None = None
    state: str | None = None
    open: bool | None = None
    updated_at: Epoch | None = None
    source: _Message | None = None
    conversation_message: _Message | None = None
    user: _Person | None = None
    assignee: _Person | None = None
    admin_assignee_id: Identifier | None = None
    contacts: _Contacts | list[_Person] | None = None
    links: dict[str, Any] | None = None
    conversation_rating: _Rating | None = None
    conversation_parts: _Parts | None = None
    ticket_parts: _Parts | None = None
    ticket_rating: _Rating | None = None
    rating: Any = None
    remark: str | None = None
    ticket_attributes: dict[str, Any] | None = None
    ticket_state: _TicketState | str | None = None


class _Data(msgspec.Struct):
    item: dict[str, Any] | None = None


class _Envelope(msgspec.Struct):
    topic: str | None = None
    id: Identifier | None = None
    app_id: Identifier | None = None
    created_at: Epoch | None = None
    data: _Data | None = None


def translate(request: WebhookRequest, options: Options, received_at: datetime) -> Translation:
    """https://developers.intercom.com/docs/references/webhooks/webhook-models"""
    envelope = shape(parse_json(request.body), _Envelope)
    topic = envelope.topic or ""
    if not topic:
        raise Unprocessable("topic is missing.")
    if topic == "ping":
        return handshake("Intercom's ping.")
    if topic not in (*RATING_TOPICS, *CONVERSATION_TOPICS, *TICKET_TOPICS, *REPLY_TOPICS):
        return ignore("Intercom topics of this kind are not needed; we take closed, reopened, rated and replied.")
    item, is_ticket = _item(envelope, topic)
    about = _about(envelope, item, is_ticket, topic, received_at)
    if topic in REPLY_TOPICS:
        return _replied(_parts(envelope, item), item, about, received_at)
    response = _response(item, about, options)
    if topic in RATING_TOPICS:
        return accept(response) if response else ignore("The conversation is not rated.")
    changed_at = _updated_at(item) or from_epoch(envelope.created_at, "created_at")
    changed = TicketChanged(record_id=_record_id(item), occurred_at=changed_at, **about)
    if changed.ticket_status is None:
        return ignore("The state of the ticket is none that we know.")
    events: list[Feedback] = [changed, *([response] if response else [])]
    return accept(*events)


def _replied(parts: list[_Part], item: _Item, about: dict[str, Any], received_at: datetime) -> Translation:
    """An admin's reply to the customer. It tells of no change of state."""
    replies = [part for part in parts if part.author is not None and part.author.type == "admin" and _is_public(part)]
    if parts and not replies:
        return ignore("The reply is a note, or not an admin's.")
    last = replies[-1] if replies else _Part()
    author = last.author or _Person()
    at = from_epoch(last.created_at, "conversation_part.created_at") or _updated_at(item) or received_at
    told = {**about, "ticket_status": None}
    by = email_of(author.email) or present(author.name)
    return accept(TicketChanged(record_id=_record_id(item), occurred_at=at, replied_at=at, replied_by=by, **told))


def _parts(envelope: _Envelope, item: _Item) -> list[_Part]:
    """Those of the notification; a reply to a ticket comes beside it."""
    beside = ((envelope.data.item if envelope.data else None) or {}).get("ticket_part")
    if beside is not None:
        return [shape(beside, _Part)]
    if item.ticket_parts is not None:
        return item.ticket_parts.ticket_parts or []
    return (item.conversation_parts or _Parts()).conversation_parts or []


def _is_public(part: _Part) -> bool:
    """A reply may assign, close or reopen as well, and is named for that; a note is nothing the customer reads."""
    kind = part.part_type or "comment"
    return kind == "comment" or (bool(present(part.body)) and not kind.startswith("note"))


def _item(envelope: _Envelope, topic: str) -> tuple[_Item, bool]:
    """The item, and whether it is a ticket. From API 2.15 on a ticket lies in `item.ticket`, before in `item`."""
    document = (envelope.data.item if envelope.data else None) or {}
    nested = document.get("ticket")
    if nested is not None:
        return shape(nested, _Item), True
    return shape(document, _Item), topic.startswith("ticket.") or document.get("type") == "ticket"


def _record_id(item: _Item) -> str:
    return identifier(item.id if item.id is not None else item.conversation_id, "data.item.id")


def _updated_at(item: _Item) -> datetime | None:
    return from_epoch(item.updated_at, "data.item.updated_at")


def _response(item: _Item, about: dict[str, Any], options: Options) -> SurveyResponded | None:
    """None where nobody rated; Intercom then sends `{}`."""
    given = item.conversation_rating or item.ticket_rating or _Rating(item.rating, item.remark)
    score = rating.rate_metric("csat", given.rating, options, "conversation_rating.rating")
    if score is None:
        return None
    rated_at = from_epoch(given.created_at, "conversation_rating.created_at")
    return SurveyResponded(
        record_id=_record_id(item),
        comment=comment_of(given.remark),
        occurred_at=rated_at or _updated_at(item),
        **rating.fields(score),
        **about,
    )


def _about(envelope: _Envelope, item: _Item, is_ticket: bool, topic: str, received_at: datetime) -> dict[str, Any]:
    app_id = optional_identifier(envelope.app_id, "app_id")
    requester = _requester(item)
    contacts = (item.contacts.contacts if isinstance(item.contacts, _Contacts) else item.contacts) or []
    return {
        "source": "intercom",
        "unique_id": identifier(envelope.id, "id"),
        "received_at": received_at,
        "ticket_id": (optional_identifier(item.ticket_id, "ticket_id") if is_ticket else None) or _record_id(item),
        "ticket_status": _ticket_status(item, topic) if is_ticket else _conversation_status(item, topic),
        "subject": _subject(item),
        "ticket_url": _link(item, None if is_ticket else app_id),
        "assignee": _assignee(item),
        **asked_by(
            requester.email,
            requester.name,
            vendor_account_id=app_id,
            contact_external_id=optional_identifier(contacts[0].external_id, "external_id") if contacts else None,
        ),
    }


def _requester(item: _Item) -> _Person:
    """Old versions have `user`; new ones only the author of the first message, unless an admin wrote it."""
    if item.user is not None:
        return item.user
    author = item.source.author if item.source else None
    return author if author is not None and author.type not in ("admin", "bot", "team") else _Person()


def _assignee(item: _Item) -> dict[str, Any] | None:
    """ "0" is nobody."""
    assignee = item.assignee or _Person()
    found = optional_identifier(assignee.id or item.admin_assignee_id, "assignee.id")
    if found in (None, "0"):
        return None
    return person(id=found, name=present(assignee.name), email=email_of(assignee.email))


def _subject(item: _Item) -> str | None:
    attributes = item.ticket_attributes or {}
    first = item.source or item.conversation_message or _Message()
    for candidate in (item.title, attributes.get("_default_title_"), first.subject):
        if isinstance(candidate, str) and present(candidate):
            return present(candidate)
    return None


def _link(item: _Item, app_id: str | None) -> str | None:
    given = (item.links or {}).get("conversation_web")
    if isinstance(given, str) and link_of(given):
        return link_of(given)
    return f"https://app.intercom.com/a/apps/{app_id}/conversations/{_record_id(item)}" if app_id else None


def _conversation_status(item: _Item, topic: str) -> str | None:
    if topic == DELETED:
        return "deleted"
    if item.state:
        return CONVERSATION_STATES.get(item.state)
    return None if item.open is None else "open" if item.open else "closed"


def _ticket_status(item: _Item, topic: str) -> str | None:
    if topic in TICKET_STATUS_BY_TOPIC:
        return TICKET_STATUS_BY_TOPIC[topic]
    state = item.ticket_state
    category = state.category if isinstance(state, _TicketState) else state
    return TICKET_CATEGORIES.get(category or "")


SOURCE = Source(name="intercom", verify=verify_by(INTERCOM), translate=translate, signature_headers=(INTERCOM.header,))
