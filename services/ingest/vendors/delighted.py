"""Delighted: survey responses by when they were last changed."""

from collections.abc import AsyncIterator
from datetime import datetime

from services.ingest.vendors.base import Api, Options, Vendor, Window
from services.ingest.vendors.client import basic
from services.ingest.vendors.translating import as_webhook, found, rows
from shared.events.catalog import SurveyResponded

_PAGE = 100


async def list_since(api: Api, window: Window, options: Options, now: datetime) -> AsyncIterator[SurveyResponded]:
    """https://app.delighted.com/docs/api/listing-survey-responses; ascending, so that news come at the end."""
    page = 1
    while True:
        params = {
            "updated_since": int(window.since.timestamp()),
            "updated_until": int(window.until.timestamp()),
            "order": "asc:updated_at",
            "expand[]": "person",
            "per_page": _PAGE,
            "page": page,
        }
        listed = rows(await api.get("/v1/survey_responses.json", params), "answer")
        for response in listed:
            notice = {
                "event_type": "survey_response.updated",
                "event_id": f"listed:{response.get('id')}",
                "event_data": response,
            }
            event = as_webhook("delighted", notice, options, now)
            if event is not None:
                yield found(event)
        if not listed:
            return
        page += 1


VENDOR = Vendor(
    name="delighted",
    base_url=lambda options: str(options.get("api_url", "https://api.delighted.com")),
    authorize=lambda token: basic(f"{token}:"),
    calls_per_minute=120,
    list_since=list_since,
)
