"""Front: conversations archived, reopened, deleted or replied to, from rule webhooks and app webhooks."""

import json
from datetime import datetime
from typing import Any

import msgspec

from services.ingest import signatures
from services.ingest.sources.base import (
    Answer,
    Options,
    Secrets,
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
    email_of,
    from_epoch,
    identifier,
    optional_identifier,
    parse_json,
    person,
    present,
    shape,
)
from shared.events.catalog import TicketChanged

CHALLENGE = "x-front-challenge"
STAMP = "x-front-request-timestamp"
REPLIES = ("out_reply", "outbound")
STATUS_BY_TYPE = {
    "archive": "closed",
    "conversation_archived": "closed",
    "unarchive": "open",
    "reopen": "open",
    "conversation_reopened": "open",
    "restore": "open",
    "conversation_restored": "open",
    "trash": "deleted",
    "conversation_deleted": "deleted",
}


class _Teammate(msgspec.Struct):
    id: Identifier | None = None
    email: str | None = None


class _Sent(msgspec.Struct):
    is_inbound: bool | None = None
    author: _Teammate | None = None


class _Meta(msgspec.Struct):
    type: str | None = None


class _Actor(msgspec.Struct):
    meta: _Meta | None = msgspec.field(default=None, name="_meta")
    data: Any = None


class _Recipient(msgspec.Struct):
    handle: str | None = None
    name: str | None = None


class _Conversation(msgspec.Struct):
    id: Identifier | None = None
    subject: str | None = None
    recipient: _Recipient | None = None
    assignee: _Teammate | None = None


class _Event(msgspec.Struct):
    type: str | None = None
    id: Identifier | None = None
    emitted_at: int | float | str | None = None
    source: _Actor | None = None
    target: _Actor | None = None
    conversation: _Conversation | None = None
    payload: Any = None


def verify(request: WebhookRequest, secrets: Secrets, options: Options, now: datetime) -> None:
    """App webhooks have a timestamp; rule webhooks sign the JSON as JavaScript would spell it."""
    if STAMP in request.headers:
        signatures.front_app(request.headers, request.body, secrets, now, options.get("replay_window", _WINDOW))
    else:
        signatures.front_rule(request.headers, _spellings(request.body), secrets)


_WINDOW = signatures.DEFAULT_WINDOW


def _spellings(body: bytes) -> list[bytes]:
    try:
        compact = json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":"))
        return [body, compact.encode("utf-8", "replace")]
    except (ValueError, RecursionError):
        return [body]


def translate(request: WebhookRequest, options: Options, received_at: datetime) -> Translation:
    """An app webhook has the event in `payload`. Front has no event for CSAT."""
    event = shape(parse_json(request.body), _Event)
    if event.type == "sync":
        challenge = request.headers.get(CHALLENGE)
        answer = Answer(challenge.encode("utf-8", "replace"), "text/plain") if challenge else None
        return handshake("Front's check of the address.", answer)
    if event.payload is not None and event.conversation is None:
        inner = shape(event.payload, _Event)
        event = msgspec.structs.replace(inner, type=inner.type or event.type)
    if not event.type:
        raise Unprocessable("type is missing.")
    reply = _reply(event) if event.type in REPLIES else {}
    status = STATUS_BY_TYPE.get(event.type)
    if status is None and not reply:
        return ignore("Front events of this type are not needed; we take archived, reopened, deleted and replies.")
    conversation = event.conversation or _Conversation()
    record_id = identifier(conversation.id, "conversation.id")
    recipient = conversation.recipient or _Recipient()
    return accept(
        TicketChanged(
            source="front",
            unique_id=identifier(event.id, "id"),
            record_id=record_id,
            received_at=received_at,
            ticket_id=record_id,
            ticket_status=status,
            subject=present(conversation.subject),
            ticket_url=f"https://app.frontapp.com/open/{record_id}",
            assignee=_assignee(event, conversation),
            occurred_at=from_epoch(event.emitted_at, "emitted_at"),
            **reply,
            **asked_by(recipient.handle, recipient.name),
        )
    )


def _reply(event: _Event) -> dict[str, Any]:
    """A message to the customer: the target. https://dev.frontapp.com/reference/events"""
    data = (event.target or _Actor()).data
    sent = shape(data, _Sent) if isinstance(data, dict) else _Sent()
    at = from_epoch(event.emitted_at, "emitted_at")
    if sent.is_inbound or at is None:
        return {}
    return {"replied_at": at, "replied_by": email_of((sent.author or _Teammate()).email)}


def _assignee(event: _Event, conversation: _Conversation) -> dict[str, Any] | None:
    """The conversation's, else the teammate who did it."""
    found = conversation.assignee
    actor = event.source or _Actor()
    if found is None and (actor.meta or _Meta()).type == "teammate" and isinstance(actor.data, dict):
        found = shape(actor.data, _Teammate)
    found = found or _Teammate()
    return person(id=optional_identifier(found.id, "assignee.id"), email=email_of(found.email))


SOURCE = Source(
    name="front",
    verify=verify,
    translate=translate,
    signature_headers=("x-front-signature",),
    keeps=(CHALLENGE,),
)
