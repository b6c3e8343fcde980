"""Freshdesk: satisfaction ratings, which its webhooks cannot carry, with the requester of their tickets."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

from services.ingest.vendors.base import Api, Gone, Options, Vendor, Window
from services.ingest.vendors.client import basic
from services.ingest.vendors.translating import as_webhook, filled, found, requester, rows, table
from shared.errors import ConfigurationError
from shared.events.catalog import SurveyResponded

_PAGE = 100
_MOST_PAGES = 300  # Freshdesk answers no page beyond


def base_url(options: Options) -> str:
    if "api_url" in options:
        return str(options["api_url"])
    if "subdomain" not in options:
        raise ConfigurationError("sources.freshdesk.api_url is needed, such as https://acme.freshdesk.com")
    return f"https://{options['subdomain']}.freshdesk.com"


def needs(event: SurveyResponded) -> bool:
    return event.requester_email is None and event.ticket_id is not None


async def enrich(api: Api, thin: SurveyResponded, options: Options) -> SurveyResponded:
    """https://developers.freshdesk.com/api/#view_a_ticket"""
    ticket = table(await api.get(f"/api/v2/tickets/{thin.ticket_id}", {"include": "requester,company"}), "ticket")
    who = table(ticket.get("requester") or {}, "requester")
    company = ticket.get("company") if isinstance(ticket.get("company"), dict) else {}
    company_id = ticket.get("company_id") or (company or {}).get("id")
    hint = {
        "organization_id": str(company_id) if company_id else None,
        "organization_name": (company or {}).get("name"),
    }
    known = filled(thin, subject=thin.subject or ticket.get("subject") or None, hint=hint)
    return requester(known, who.get("email"), who.get("name"))


async def list_since(api: Api, window: Window, options: Options, now: datetime) -> AsyncIterator[SurveyResponded]:
    """https://developers.freshdesk.com/api/#view_all_satisfaction_ratings"""
    for page in range(1, _MOST_PAGES + 1):
        params: dict[str, Any] = {
            "created_since": f"{window.since:%Y-%m-%dT%H:%M:%SZ}",
            "per_page": _PAGE,
            "page": page,
        }
        listed = rows(await api.get("/api/v2/surveys/satisfaction_ratings", params), "answer")
        for rating in listed:
            event = as_webhook("freshdesk", rating, options, now)
            if event is not None and (event.occurred_at or now) <= window.until:
                yield found(await _about_ticket(api, event, options))
        if not listed:
            return


async def _about_ticket(api: Api, event: SurveyResponded, options: Options) -> SurveyResponded:
    if not needs(event):
        return event
    try:
        return await enrich(api, event, options)
    except Gone:
        return event


VENDOR = Vendor(
    name="freshdesk",
    base_url=base_url,
    authorize=lambda token: basic(f"{token}:X"),
    calls_per_minute=40,
    needs=needs,
    enrich=enrich,
    list_since=list_since,
    reconcile_every=timedelta(minutes=2),
    polled=True,
)
