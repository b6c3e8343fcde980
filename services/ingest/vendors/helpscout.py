"""Help Scout: the ratings of its happiness report, with the addresses of those who gave them."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

from services.ingest.vendors.base import Api, Gone, Options, Post, Vendor, Window
from services.ingest.vendors.client import bearer
from services.ingest.vendors.translating import as_webhook, found, rows, table
from shared.events.catalog import SurveyResponded

_RATINGS = {1: "Great", 2: "Okay", 3: "Bad"}


async def sign_in(post: Post, token: str) -> Mapping[str, str]:
    """`app id:app secret` for a token of two days. https://developer.helpscout.com/mailbox-api/overview/authentication/"""
    app_id, _, secret = token.partition(":")
    body = {"grant_type": "client_credentials", "client_id": app_id, "client_secret": secret}
    answer = table(await post("/v2/oauth2/token", body, form=True), "answer")
    return bearer(str(answer.get("access_token")))


async def list_since(api: Api, window: Window, options: Options, now: datetime) -> AsyncIterator[SurveyResponded]:
    """https://developer.helpscout.com/mailbox-api/endpoints/reports/happiness/reports-happiness-ratings/

    The report does not tell a rating's own id: conversation and thread identify it, as they do in the webhook."""
    page = 1
    emails: dict[str, list[dict[str, Any]]] = {}
    while True:
        params = {
            "start": f"{window.since:%Y-%m-%dT%H:%M:%SZ}",
            "end": f"{window.until:%Y-%m-%dT%H:%M:%SZ}",
            "rating": "all",
            "sortField": "modifiedAt",
            "sortOrder": "ASC",
            "page": page,
        }
        body = table(await api.get("/v2/reports/happiness/ratings", params), "answer")
        for rating in rows(body.get("results") or [], "results"):
            customer = str(rating.get("ratingCustomerId"))
            if customer not in emails:
                emails[customer] = await _emails(api, customer)
            event = _of_rating(rating, emails[customer], options, now)
            if event is not None:
                yield found(event)
        pages = body.get("pages")
        if not isinstance(pages, int) or page >= pages:
            return
        page += 1


async def _emails(api: Api, customer: str) -> list[dict[str, Any]]:
    if not customer.isdigit():
        return []
    try:
        body = table(await api.get(f"/v2/customers/{customer}/emails"), "answer")
    except Gone:
        return []
    return rows((body.get("_embedded") or {}).get("emails") or [], "emails")


def _of_rating(
    rating: dict[str, Any], emails: list[dict[str, Any]], options: Options, now: datetime
) -> SurveyResponded | None:
    first, _, last = str(rating.get("ratingCustomerName") or "").partition(" ")
    notice = {
        "id": f"report:{rating.get('id')}:{rating.get('threadid')}",
        "customer": {"id": rating.get("ratingCustomerId"), "firstName": first, "lastName": last, "emails": emails},
        "ticketId": rating.get("id"),
        "threadId": rating.get("threadid"),
        "rating": _RATINGS.get(rating.get("ratingId")),  # type: ignore[arg-type]
        "comments": rating.get("ratingComments"),
        "createdAt": rating.get("ratingCreatedAt"),
        "modifiedAt": rating.get("ratingCreatedAt"),
    }
    return as_webhook("helpscout", notice, options, now, {"x-helpscout-event": "satisfaction.ratings"})


VENDOR = Vendor(
    name="helpscout",
    base_url=lambda options: str(options.get("api_url", "https://api.helpscout.net")),
    authorize=bearer,
    sign_in=sign_in,
    calls_per_minute=200,
    list_since=list_since,
)
