"""Intercom: the contact behind a conversation, and conversations by when they were rated."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from services.ingest.vendors.base import Api, Options, Vendor, Window
from services.ingest.vendors.client import bearer
from services.ingest.vendors.translating import as_webhook, found, requester, rows, table
from shared.events.catalog import SurveyResponded

_PAGE = 50


def needs(event: SurveyResponded) -> bool:
    return event.requester_email is None


async def enrich(api: Api, thin: SurveyResponded, options: Options) -> SurveyResponded:
    """https://developers.intercom.com/docs/references/rest-api/api.intercom.io/contacts/showcontact"""
    conversation = table(await api.get(f"/conversations/{thin.record_id}"), "conversation")
    return await _with_contact(api, thin, conversation)


async def list_since(api: Api, window: Window, options: Options, now: datetime) -> AsyncIterator[SurveyResponded]:
    """https://developers.intercom.com/docs/references/rest-api/api.intercom.io/conversations/searchconversations"""
    fields = (
        ("conversation_rating.replied_at", ">", int(window.since.timestamp()) - 1),
        ("conversation_rating.replied_at", "<", int(window.until.timestamp()) + 1),
    )
    query = {"operator": "AND", "value": [{"field": f, "operator": o, "value": v} for f, o, v in fields]}
    pagination: dict[str, Any] = {"per_page": _PAGE}
    while True:
        body = table(await api.post("/conversations/search", {"query": query, "pagination": pagination}), "answer")
        for conversation in rows(body.get("conversations") or [], "conversations"):
            event = _of_conversation(conversation, options, now)
            if event is not None:
                yield found(await _with_contact(api, event, conversation) if needs(event) else event)
        following = (body.get("pages") or {}).get("next")
        after = following.get("starting_after") if isinstance(following, dict) else None
        if not after:
            return
        pagination = {"per_page": _PAGE, "starting_after": after}


def _of_conversation(conversation: dict[str, Any], options: Options, now: datetime) -> SurveyResponded | None:
    notice = {
        "type": "notification_event",
        "topic": "conversation.rating.added",
        "id": f"listed:{conversation.get('id')}",
        "data": {"item": conversation},
    }
    return as_webhook("intercom", notice, options, now)


async def _with_contact(api: Api, event: SurveyResponded, conversation: dict[str, Any]) -> SurveyResponded:
    contacts = (conversation.get("contacts") or {}).get("contacts") or []
    contact_id = contacts[0].get("id") if contacts and isinstance(contacts[0], dict) else None
    if not contact_id:
        return event
    contact = table(await api.get(f"/contacts/{contact_id}"), "contact")
    return requester(event, contact.get("email"), contact.get("name"))


VENDOR = Vendor(
    name="intercom",
    base_url=lambda options: str(options.get("api_url", "https://api.intercom.io")),
    authorize=lambda token: {**bearer(token), "intercom-version": "2.11"},
    calls_per_minute=500,
    needs=needs,
    enrich=enrich,
    list_since=list_since,
)
