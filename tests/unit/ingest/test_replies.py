"""Sources that tell of an agent's public reply say when and who; nobody's note, survey or bot counts as one."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from services.ingest.sources import BY_NAME
from services.ingest.sources.base import Outcome, Translation, WebhookRequest
from tests.support.ingest import NOW
from tests.support.payloads import sample

AT = datetime(2026, 3, 10, 9, 30, tzinfo=UTC)


def translate(source: str, document: Any, **headers: str) -> Translation:
    request = WebhookRequest("POST", "", headers, json.dumps(document).encode(), {})
    return BY_NAME[source].translate(request, {}, NOW)


def intercom(part_type: str = "comment", author: str = "admin") -> dict[str, Any]:
    """https://developers.intercom.com/docs/references/webhooks/webhook-models : conversation.admin.replied"""
    who = {"type": author, "id": "991", "name": "Ana", "email": "ana@us.example"}
    part = {
        "type": "conversation_part",
        "id": "7",
        "part_type": part_type,
        "created_at": int(AT.timestamp()),
        "author": who,
    }
    item = {
        "type": "conversation",
        "id": "2188",
        "state": "open",
        "updated_at": int(AT.timestamp()) + 1,
        "conversation_parts": {"type": "conversation_part.list", "conversation_parts": [part], "total_count": 1},
    }
    return {
        "type": "notification_event",
        "id": "notif_1",
        "topic": "conversation.admin.replied",
        "data": {"item": item},
    }


def helpscout() -> dict[str, Any]:
    """https://developer.helpscout.com/webhooks/objects/conversation/"""
    author = {"id": 4, "type": "user", "first": "Ana", "last": "Silva", "email": "ana@us.example"}
    customer = {"id": 9, "type": "customer", "first": "Dora", "email": "dora@acme.example"}
    threads = [
        {"id": 12, "type": "note", "createdBy": author, "createdAt": "2026-03-10T09:40:00Z"},
        {"id": 11, "type": "message", "createdBy": author, "createdAt": "2026-03-10T09:30:00Z"},
        {"id": 10, "type": "customer", "createdBy": customer, "createdAt": "2026-03-10T09:00:00Z"},
    ]
    return {"id": 51, "status": "pending", "userUpdatedAt": "2026-03-10T09:40:00Z", "_embedded": {"threads": threads}}


def chatwoot(**facts: Any) -> dict[str, Any]:
    """https://www.chatwoot.com/docs/product/features/webhooks : message_created"""
    message = {
        "event": "message_created",
        "id": 77,
        "content_type": "text",
        "message_type": "outgoing",
        "private": False,
        "created_at": "2026-03-10 09:30:00 UTC",
        "sender": {"id": 1, "name": "Ana", "email": "ana@us.example", "type": "user"},
        "conversation": {"id": 51, "status": "open"},
        "account": {"id": 3},
    }
    return {**message, **facts}


def changed(source: str, file: str, *path: str | int, to: Any) -> Any:
    """The document of a sample with the value at `path` replaced."""
    document = place = json.loads(sample(source, file).body)
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return document


AGENT = "5b10ac8d82e05b22cc7d4ef5"


@pytest.mark.parametrize(
    ("source", "document", "headers", "ticket_id"),
    [
        ("intercom", intercom(), {}, "2188"),
        ("helpscout", helpscout(), {"x-helpscout-event": "convo.agent.reply.created"}, "51"),
        ("chatwoot", chatwoot(), {}, "51"),
    ],
)
def test_an_agents_reply_is_told_with_its_time_and_author(
    source: str, document: Any, headers: dict[str, str], ticket_id: str
) -> None:
    (event,) = translate(source, document, **headers).events
    assert (event.ticket_id, event.replied_at, event.replied_by) == (ticket_id, AT, "ana@us.example")
    assert event.ticket_status is None, "a reply reopens nothing"


@pytest.mark.parametrize(
    ("source", "document"),
    [
        ("intercom", intercom(part_type="note")),
        ("intercom", intercom(author="bot")),
        ("chatwoot", chatwoot(private=True)),
        ("chatwoot", chatwoot(message_type="incoming")),
        ("chatwoot", chatwoot(message_type="template", content_type="input_csat")),
        ("chatwoot", chatwoot(sender={"id": 5, "name": "Robo", "type": "agent_bot"})),
        ("intercom", intercom(part_type="note_and_reopen")),
        ("intercom", intercom(part_type="assignment")),
        ("intercom", changed("intercom", "replied_to", "data", "item", "ticket_part", "author", "type", to="bot")),
        ("intercom", changed("intercom", "replied_to", "data", "item", "ticket_part", "part_type", to="note")),
        ("zendesk", changed("zendesk", "comment_added", "event", "comment", "is_public", to=False)),
        ("zendesk", changed("zendesk", "comment_added", "event", "comment", "author", "is_staff", to=False)),
        ("zendesk", changed("zendesk", "comment_added", "event", to=None)),
        ("jira", changed("jira", "comment_created", "comment", "jsdPublic", to=False)),
        ("jira", changed("jira", "comment_created", "comment", "jsdPublic", to=None)),
        ("jira", changed("jira", "comment_created", "comment", "author", "accountType", to="customer")),
        ("jira", changed("jira", "comment_created", "issue", "fields", "reporter", to={"accountId": AGENT})),
        ("front", changed("front", "app_webhook", "payload", "target", "data", "is_inbound", to=True)),
    ],
)
def test_what_is_no_public_reply_of_a_person_is_ignored(source: str, document: Any) -> None:
    assert translate(source, document).outcome is Outcome.IGNORE


@pytest.mark.parametrize(
    ("part", "value"), [("sender", "Customer"), ("sender", "System"), ("internal", True), ("type", "note")]
)
def test_a_zammad_ticket_tells_of_a_reply_only_where_an_agent_wrote_to_the_customer(part: str, value: Any) -> None:
    (told,) = translate("zammad", json.loads(sample("zammad", "ticket").body)).events
    assert (told.replied_at, told.replied_by) == (
        datetime(2026, 3, 2, 11, 0, 0, 310000, UTC),
        "emma@chrispresso.example",
    )
    (event,) = translate("zammad", changed("zammad", "ticket", "article", part, to=value)).events
    assert (event.replied_at, event.replied_by, event.ticket_status) == (None, None, "closed")
    (event,) = translate("zammad", changed("zammad", "ticket", "article", to=None)).events
    assert event.replied_at is None
