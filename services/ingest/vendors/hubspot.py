"""HubSpot: feedback submissions with their contact: one, and those changed in a window; and whose a ticket is."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import msgspec

from services.ingest.vendors.base import Api, Gone, Options, Vendor, Window
from services.ingest.vendors.client import bearer
from services.ingest.vendors.translating import E, as_webhook, filled, found, requester, rows, table
from shared.errors import PoisonError
from shared.events.catalog import SurveyResponded, TicketChanged

SUBMISSIONS = "/crm/v3/objects/feedback_submissions"
CONTACTS = "/crm/v3/objects/contacts"
TICKETS = "/crm/v3/objects/tickets"
_PAGE = 100
_PROPERTIES = (
    "hs_survey_type hs_value hs_response_group hs_content hs_submission_timestamp hs_survey_channel hs_survey_id "
    "hs_survey_name hs_ticket_id hs_contact_id hs_lastmodifieddate"
).split()
_OF_CONTACT = ["email", "firstname", "lastname", "company", "associatedcompanyid"]


def needs(event: SurveyResponded) -> bool:
    return event.metric == "none" or event.requester_email is None


async def enrich(api: Api, thin: SurveyResponded, options: Options) -> SurveyResponded:
    """https://developers.hubspot.com/docs/guides/api/crm/objects/feedback-submissions"""
    event = thin
    if thin.metric == "none":
        body = await api.get(f"{SUBMISSIONS}/{thin.record_id}", {"properties": ",".join(_PROPERTIES)})
        fetched = as_webhook("hubspot", table(body, "submission"), options, thin.received_at)
        if fetched is None:
            return thin
        event = msgspec.structs.replace(
            fetched, unique_id=thin.unique_id, account_hint={**thin.account_hint, **fetched.account_hint}
        )
    contact_id = event.account_hint.get("contact_id")
    return event if event.requester_email else await _with_contact(api, event, contact_id)


async def enrich_ticket(api: Api, thin: TicketChanged, options: Options) -> TicketChanged:
    """https://developers.hubspot.com/docs/guides/api/crm/objects/tickets : the first contact is the one who asked."""
    asked = {"properties": "subject", "associations": "contacts"}
    ticket = table(await api.get(f"{TICKETS}/{thin.record_id}", asked), "ticket")
    subject = table(ticket.get("properties") or {}, "properties").get("subject")
    linked = table(table(ticket.get("associations") or {}, "associations").get("contacts") or {}, "contacts")
    contact_id = next((one.get("id") for one in rows(linked.get("results") or [], "results")), None)
    return await _with_contact(api, filled(thin, subject=subject or None), contact_id)


async def _with_contact(api: Api, event: E, contact_id: Any) -> E:
    if not contact_id:
        return event
    try:
        contact = await api.get(f"{CONTACTS}/{contact_id}", {"properties": ",".join(_OF_CONTACT)})
    except Gone:
        return event
    return _about_contact(event, table(contact, "contact"))


async def list_since(api: Api, window: Window, options: Options, now: datetime) -> AsyncIterator[SurveyResponded]:
    """https://developers.hubspot.com/docs/guides/api/crm/search; ascending, so that news come at the end."""
    times = [("GTE", window.since), ("LTE", window.until)]
    query: dict[str, Any] = {
        "filterGroups": [
            {
                "filters": [
                    {"propertyName": "hs_lastmodifieddate", "operator": operator, "value": int(at.timestamp() * 1000)}
                    for operator, at in times
                ]
            }
        ],
        "sorts": [{"propertyName": "hs_lastmodifieddate", "direction": "ASCENDING"}],
        "properties": _PROPERTIES,
        "limit": _PAGE,
    }
    while True:
        body = table(await api.post(f"{SUBMISSIONS}/search", query), "answer")
        submissions = rows(body.get("results") or [], "results")
        events = [event for one in submissions if (event := as_webhook("hubspot", one, options, now)) is not None]
        contacts = await _contacts(api, {str(e.account_hint["contact_id"]) for e in events if _contact_known(e)})
        for event in events:
            contact = contacts.get(str(event.account_hint.get("contact_id")))
            yield found(_about_contact(event, contact) if contact else event)
        after = ((body.get("paging") or {}).get("next") or {}).get("after")
        if not after:
            return
        query = {**query, "after": after}


def _contact_known(event: SurveyResponded) -> bool:
    return bool(event.account_hint.get("contact_id"))


async def _contacts(api: Api, ids: set[str]) -> dict[str, dict[str, Any]]:
    if not ids:
        return {}
    body = {"properties": _OF_CONTACT, "inputs": [{"id": one} for one in sorted(ids)]}
    answer = table(await api.post(f"{CONTACTS}/batch/read", body), "answer")
    return {str(one.get("id")): one for one in rows(answer.get("results") or [], "results")}


def _about_contact(event: E, contact: dict[str, Any]) -> E:
    properties = contact.get("properties")
    if not isinstance(properties, dict):
        raise PoisonError("the contact has no properties")
    name = " ".join(part for part in (properties.get("firstname"), properties.get("lastname")) if part)
    hint = {"organization_id": properties.get("associatedcompanyid"), "organization_name": properties.get("company")}
    return requester(filled(event, hint=hint), properties.get("email"), name)


VENDOR = Vendor(
    name="hubspot",
    base_url=lambda options: str(options.get("api_url", "https://api.hubapi.com")),
    authorize=bearer,
    calls_per_minute=240,
    needs=needs,
    enrich=enrich,
    enrich_ticket=enrich_ticket,
    list_since=list_since,
)
