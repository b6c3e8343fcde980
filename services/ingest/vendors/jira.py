"""Jira Service Management: the comment of a satisfaction rating, which its webhook leaves out."""

from services.ingest.sources.reading import comment_of
from services.ingest.vendors.base import Api, Options, Vendor
from services.ingest.vendors.client import basic, bearer
from services.ingest.vendors.translating import filled, table
from shared.errors import ConfigurationError
from shared.events.catalog import SurveyResponded


def base_url(options: Options) -> str:
    site = options.get("api_url") or options.get("site")
    if not site:
        raise ConfigurationError("sources.jira.site is needed to call Jira's API, such as https://acme.atlassian.net")
    return str(site)


def needs(event: SurveyResponded) -> bool:
    return event.comment is None and event.ticket_id is not None


async def enrich(api: Api, thin: SurveyResponded, options: Options) -> SurveyResponded:
    """https://developer.atlassian.com/cloud/jira/service-desk/rest/api-group-request/#get-feedback"""
    body = table(await api.get(f"/rest/servicedeskapi/request/{thin.ticket_id}/feedback"), "feedback")
    comment = body.get("comment")
    text = comment.get("body") if isinstance(comment, dict) else comment
    return filled(thin, comment=comment_of(text) if isinstance(text, str) else None)


VENDOR = Vendor(
    name="jira",
    base_url=base_url,
    authorize=lambda token: {**(basic(token) if ":" in token else bearer(token)), "x-experimentalapi": "opt-in"},
    calls_per_minute=300,
    needs=needs,
    enrich=enrich,
)
