"""Jira Service Management: the comment of a satisfaction rating, and who asked, which its webhooks leave out."""

from services.ingest.sources.reading import comment_of
from services.ingest.vendors.base import Api, Gone, Options, Vendor
from services.ingest.vendors.client import basic, bearer
from services.ingest.vendors.translating import E, filled, requester, table
from shared.errors import ConfigurationError
from shared.events.catalog import SurveyResponded, TicketChanged

REQUEST = "/rest/servicedeskapi/request"


def base_url(options: Options) -> str:
    site = options.get("api_url") or options.get("site")
    if not site:
        raise ConfigurationError("sources.jira.site is needed to call Jira's API, such as https://acme.atlassian.net")
    return str(site)


def needs(event: SurveyResponded) -> bool:
    return event.ticket_id is not None and (event.comment is None or event.requester_email is None)


async def enrich(api: Api, thin: SurveyResponded, options: Options) -> SurveyResponded:
    """https://developer.atlassian.com/cloud/jira/service-desk/rest/api-group-request/#get-feedback"""
    body = table(await api.get(f"{REQUEST}/{thin.ticket_id}/feedback"), "feedback")
    comment = body.get("comment")
    text = comment.get("body") if isinstance(comment, dict) else comment
    told = filled(thin, comment=comment_of(text) if isinstance(text, str) else None)
    try:
        return told if told.requester_email else await _with_reporter(api, told)
    except Gone:
        return told


async def enrich_ticket(api: Api, thin: TicketChanged, options: Options) -> TicketChanged:
    return await _with_reporter(api, thin)


async def _with_reporter(api: Api, thin: E) -> E:
    """Webhooks hide the addresses of customers; an agent of the project may see them.
    https://developer.atlassian.com/cloud/jira/service-desk/rest/api-group-request/#get-customer-request"""
    request = table(await api.get(f"{REQUEST}/{thin.ticket_id}"), "request")
    reporter = table(request.get("reporter") or {}, "reporter")
    return requester(thin, reporter.get("emailAddress"), reporter.get("displayName"))


VENDOR = Vendor(
    name="jira",
    base_url=base_url,
    authorize=lambda token: {**(basic(token) if ":" in token else bearer(token)), "x-experimentalapi": "opt-in"},
    calls_per_minute=300,
    needs=needs,
    enrich=enrich,
    enrich_ticket=enrich_ticket,
)
