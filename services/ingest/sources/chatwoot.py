"""Chatwoot: conversations resolved or reopened, and the CSAT that comes back as an update of the survey's message."""

from datetime import datetime
from typing import Any

import msgspec

from services.ingest import signatures
from services.ingest.sources import rating
from services.ingest.sources.base import (
    Options,
    Secrets,
    Source,
    Translation,
    Unprocessable,
    WebhookRequest,
    accept,
    ignore,
)
from services.ingest.sources.options import replay_window, text
from services.ingest.sources.reading import (
    Identifier,
    Person,
    asked_by,
    assigned,
    comment_of,
    digest,
    email_of,
    from_either,
    from_epoch,
    identifier,
    optional_identifier,
    parse_json,
    present,
    shape,
    state_of,
)
from shared.events.catalog import SurveyResponded, TicketChanged

DELIVERY, TIMESTAMP = "x-chatwoot-delivery", "x-chatwoot-timestamp"
STATUSES = {"open": "open", "pending": "pending", "snoozed": "pending", "resolved": "closed"}

Epoch = int | float | str


class _Person(Person):
    type: str | None = None
    custom_attributes: dict[str, Any] | None = None


class _Meta(msgspec.Struct):
    sender: _Person | None = None
    assignee: _Person | None = None


class _Conversation(msgspec.Struct):
    """Of older releases: without `updated_at`, and in messages with `display_id` in place of `id`."""

    id: Identifier | None = None
    display_id: Identifier | None = None
    status: str | None = None
    meta: _Meta | None = None
    updated_at: Epoch | None = None
    last_activity_at: Epoch | None = None
    timestamp: Epoch | None = None


class _Account(msgspec.Struct):
    id: Identifier | None = None


class _Csat(msgspec.Struct):
    rating: Any = None
    feedback_message: str | None = None


class _Submitted(msgspec.Struct):
    csat_survey_response: _Csat | None = None


class _Content(msgspec.Struct):
    submitted_values: _Submitted | None = None


class _Message(msgspec.Struct):
    id: Identifier | None = None
    content_type: str | None = None
    content_attributes: _Content | None = None
    conversation: _Conversation | None = None
    account: _Account | None = None
    message_type: str | int | None = None
    private: bool | None = None
    created_at: Epoch | None = None
    sender: _Person | None = None


class _Kind(msgspec.Struct):
    event: str | None = None
    content_type: str | None = None


def verify(request: WebhookRequest, secrets: Secrets, options: Options, now: datetime) -> None:
    signatures.chatwoot(request.headers, request.body, secrets, now, replay_window(options))


def translate(request: WebhookRequest, options: Options, received_at: datetime) -> Translation:
    """Shapes: chatwoot/chatwoot app/listeners/webhook_listener.rb and the maintainer's word in issue 8114."""
    document = parse_json(request.body)
    kind = shape(document, _Kind)
    if kind.event == "conversation_status_changed":
        return _changed(document, request, options, received_at)
    if kind.event == "message_updated" and kind.content_type == "input_csat":
        return _rated(shape(document, _Message), request, options, received_at)
    if kind.event == "message_created":
        return _replied(shape(document, _Message), request, options, received_at)
    if not kind.event:
        raise Unprocessable("event is missing.")
    return ignore("Chatwoot events of this kind are not needed; we take status changes, replies and CSAT answers.")


def _changed(document: Any, request: WebhookRequest, options: Options, received_at: datetime) -> Translation:
    conversation = shape(document, _Conversation)
    account = shape(document, _Message).account or _Account()
    about = _about(conversation, account, options)
    if about["ticket_status"] is None:
        raise Unprocessable("status is not one of Chatwoot's.")
    state = f"conversation_status_changed:{about['ticket_id']}:{conversation.status}"
    fallback = state_of(state, conversation.updated_at, request.body)
    ticket = TicketChanged(
        source="chatwoot",
        unique_id=identifier(request.headers.get(DELIVERY) or fallback, "the delivery id"),
        record_id=about["ticket_id"],
        received_at=received_at,
        occurred_at=from_either(conversation.updated_at, "updated_at") or _active_at(conversation),
        **about,
    )
    return accept(ticket)


def _rated(message: _Message, request: WebhookRequest, options: Options, received_at: datetime) -> Translation:
    submitted = (message.content_attributes or _Content()).submitted_values or _Submitted()
    csat = submitted.csat_survey_response or _Csat()
    score = rating.rate_metric("csat", csat.rating, options, "csat_survey_response.rating")
    if score is None:
        return ignore("The survey is sent but not answered yet.")
    conversation = message.conversation or _Conversation()
    message_id = identifier(message.id, "id")
    fallback = f"message:{message_id}:{csat.rating}:{digest((csat.feedback_message or '').encode())}"
    # The message's own created_at is when the survey was asked.
    answered_at = from_epoch(request.headers.get(TIMESTAMP), TIMESTAMP)
    return accept(
        SurveyResponded(
            source="chatwoot",
            unique_id=identifier(request.headers.get(DELIVERY) or fallback, "the delivery id"),
            record_id=f"message:{message_id}",
            received_at=received_at,
            comment=comment_of(csat.feedback_message),
            occurred_at=answered_at or _active_at(conversation),
            **rating.fields(score),
            **_about(conversation, message.account or _Account(), options),
        )
    )


def _replied(message: _Message, request: WebhookRequest, options: Options, received_at: datetime) -> Translation:
    """An agent's public message. Surveys and other templates are nobody's reply. It tells of no new status."""
    sender = message.sender or _Person()
    by_agent = message.message_type in ("outgoing", 1) and sender.type in (None, "user", "User")
    if not by_agent or message.private or message.content_type not in (None, "text"):
        return ignore("The message is not an agent's public reply.")
    message_id = identifier(message.id, "id")
    about = _about(message.conversation or _Conversation(), message.account or _Account(), options)
    at = from_either(message.created_at, "created_at") or received_at
    return accept(
        TicketChanged(
            source="chatwoot",
            unique_id=identifier(request.headers.get(DELIVERY) or f"message_created:{message_id}", "the delivery id"),
            record_id=about["ticket_id"],
            received_at=received_at,
            occurred_at=at,
            replied_at=at,
            replied_by=email_of(sender.email) or present(sender.name),
            **{**about, "ticket_status": None},
        )
    )


def _active_at(conversation: _Conversation) -> datetime | None:
    active_at = from_either(conversation.last_activity_at, "last_activity_at")
    return active_at or from_either(conversation.timestamp, "timestamp")


def _about(conversation: _Conversation, account: _Account, options: Options) -> dict[str, Any]:
    meta = conversation.meta or _Meta()
    sender = meta.sender or _Person()
    ticket_id = identifier(conversation.display_id if conversation.id is None else conversation.id, "conversation.id")
    account_id = optional_identifier(account.id, "account.id")
    base, number = options.get("base_url"), account_id or options.get("account_id")
    return {
        "ticket_id": ticket_id,
        "ticket_status": STATUSES.get(conversation.status or ""),
        "ticket_url": f"{base}/app/accounts/{number}/conversations/{ticket_id}" if base and number else None,
        "assignee": assigned(meta.assignee, "meta.assignee"),
        **asked_by(
            sender.email, sender.name, vendor_account_id=account_id, contact_custom_attributes=sender.custom_attributes
        ),
    }


SOURCE = Source(
    name="chatwoot",
    verify=verify,
    translate=translate,
    signature_headers=("x-chatwoot-signature",),
    keeps=(DELIVERY, TIMESTAMP),
    options={"base_url": lambda value: text(value).rstrip("/"), "account_id": lambda value: text(str(value))},
)
