"""Zendesk: who asked (tickets with users and organisations), satisfaction ratings, and responses to the new surveys."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog

from services.ingest.scales import CSAT_1_5, ScoreError
from services.ingest.sources import rating
from services.ingest.sources.options import scale_of
from services.ingest.vendors.base import Api, Gone, Options, Refused, Vendor, Window
from services.ingest.vendors.client import basic, bearer
from services.ingest.vendors.translating import E, as_webhook, filled, found, instant, requester, rows, table
from shared.errors import ConfigurationError
from shared.events.catalog import SurveyResponded, TicketChanged

log = structlog.get_logger(__name__)

_PAGE = 100
_OFFERED_BEFORE = timedelta(days=7)
"""Survey responses can be listed by when they were offered only; who answers later than this is not found."""


def base_url(options: Options) -> str:
    if "api_url" in options:
        return str(options["api_url"])
    if "subdomain" not in options:
        raise ConfigurationError(
            "sources.zendesk.subdomain is needed to call Zendesk's API (or sources.zendesk.api_url)"
        )
    return f"https://{options['subdomain']}.zendesk.com"


def authorize(token: str) -> Mapping[str, str]:
    """`name@example.com/token:...` is an API token, anything else an OAuth token."""
    return basic(token) if ":" in token else bearer(token)


def needs(event: SurveyResponded) -> bool:
    """Event webhooks name the requester by id only."""
    return event.requester_email is None and event.ticket_id is not None


async def enrich(api: Api, thin: SurveyResponded, options: Options) -> SurveyResponded:
    return await _with_ticket(api, thin)


async def enrich_ticket(api: Api, thin: TicketChanged, options: Options) -> TicketChanged:
    return await _with_ticket(api, thin)


async def _with_ticket(api: Api, thin: E) -> E:
    """https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#show-ticket"""
    body = table(await api.get(f"/api/v2/tickets/{thin.ticket_id}.json", {"include": "users,organizations"}), "answer")
    return _about_ticket(
        thin, table(body.get("ticket"), "ticket"), _by_id(body, "users"), _by_id(body, "organizations")
    )


async def list_since(api: Api, window: Window, options: Options, now: datetime) -> AsyncIterator[SurveyResponded]:
    """Responses to the new surveys first: Zendesk repeats them as good or bad ratings of the same tickets."""
    answered: set[str] = set()
    refused: Refused | None = None
    try:
        async for page in _survey_responses(api, window, options, now):
            answered.update(event.record_id for event in page)
            for event in await _with_tickets(api, page):
                yield event
    except (Refused, Gone) as error:
        # Plans without the new surveys refuse them, and only them.
        refused = error if isinstance(error, Refused) else None
        log.info("survey_responses_not_available", source="zendesk", reason=str(error))
    try:
        async for page in _ratings(api, window, options, now):
            for event in await _with_tickets(api, [one for one in page if one.record_id not in answered]):
                yield event
    except Refused as error:
        if refused is not None or not answered:
            raise
        log.info("satisfaction_ratings_not_available", source="zendesk", reason=str(error))


async def _ratings(api: Api, window: Window, options: Options, now: datetime) -> AsyncIterator[list[SurveyResponded]]:
    """https://developer.zendesk.com/api-reference/ticketing/ticket-management/satisfaction_ratings"""
    params: dict[str, Any] = {
        "score": "received",
        "start_time": int(window.since.timestamp()),
        "end_time": int(window.until.timestamp()),
        "page[size]": _PAGE,
    }
    path: str | None = "/api/v2/satisfaction_ratings.json"
    while path:
        body = table(await api.get(path, params), "answer")
        yield [
            event
            for rating in rows(body.get("satisfaction_ratings"), "satisfaction_ratings")
            if (event := _of_rating(rating, options, now)) is not None
        ]
        path, params = _next(body, path, params)


def _of_rating(rating: dict[str, Any], options: Options, now: datetime) -> SurveyResponded | None:
    return as_webhook(
        "zendesk",
        {
            "type": "zen:event-type:ticket.csat_received",
            "id": f"rating:{rating.get('id')}",
            "time": rating.get("updated_at") or rating.get("created_at"),
            "detail": {"id": rating.get("ticket_id"), "assignee_id": rating.get("assignee_id")},
            "event": {"satisfaction_score": {"score": rating.get("score"), "comment": rating.get("comment")}},
        },
        options,
        now,
    )


async def _survey_responses(
    api: Api, window: Window, options: Options, now: datetime
) -> AsyncIterator[list[SurveyResponded]]:
    """https://developer.zendesk.com/api-reference/ticketing/ticket-management/csat_survey_responses"""
    since = window.since - _OFFERED_BEFORE
    params: dict[str, Any] = {"filter[created_at_start]": int(since.timestamp() * 1000), "page[size]": _PAGE}
    path: str | None = "/api/v2/guide/survey_responses"
    while path:
        body = table(await api.get(path, params), "answer")
        answers = [_of_survey(one, options, now) for one in rows(body.get("survey_responses"), "survey_responses")]
        yield [
            event
            for event in answers
            if event is not None and event.occurred_at and window.since <= event.occurred_at <= window.until
        ]
        path, params = _next(body, path, params)


def _of_survey(response: dict[str, Any], options: Options, now: datetime) -> SurveyResponded | None:
    """None while no rating was given."""
    answers = [answer for answer in response.get("answers") or [] if isinstance(answer, dict)]
    rated = min((one for one in answers if one.get("type") == "rating_scale"), key=_of_another_question, default=None)
    subjects = [str(zrn) for zrn in response.get("subject_zrns") or []]
    ticket_id = next((zrn.rpartition(":")[2] for zrn in subjects if ":ticket:" in zrn), None)
    if rated is None or ticket_id is None:
        return None
    try:
        score = scale_of(options, "csat", CSAT_1_5).score(rated.get("rating"))
    except ScoreError as wrong:
        log.warning("api_object_unreadable", source="zendesk", reason=str(wrong))
        return None
    if score is None:
        return None
    told = next((answer.get("value") for answer in answers if answer.get("type") == "open_ended"), None)
    survey_id = response.get("survey_id") or table(response.get("survey") or {}, "survey").get("id")
    return SurveyResponded(
        source="zendesk",
        unique_id=f"survey-response:{response.get('id')}",
        record_id=f"csat:{ticket_id}",
        received_at=now,
        comment=told if isinstance(told, str) and told.strip() else None,
        ticket_id=ticket_id,
        survey_id=str(survey_id) if survey_id else None,
        occurred_at=instant(rated.get("updated_at") or rated.get("created_at"), "updated_at"),
        **rating.fields(score),
    )


def _of_another_question(answer: dict[str, Any]) -> bool:
    """A survey may ask for other ratings beside that of satisfaction."""
    question = answer.get("question")
    return not isinstance(question, dict) or question.get("sub_type") != "customer_satisfaction"


async def _with_tickets(api: Api, events: list[SurveyResponded]) -> list[SurveyResponded]:
    """One call for the tickets of a page; a ticket that is gone leaves its rating as it is."""
    ids = sorted({str(event.ticket_id) for event in events})
    if not ids:
        return []
    params = {"ids": ",".join(ids), "include": "users,organizations"}
    body = table(await api.get("/api/v2/tickets/show_many.json", params), "answer")
    tickets, users, organizations = (_by_id(body, name) for name in ("tickets", "users", "organizations"))
    return [
        found(_about_ticket(event, tickets[ticket_id], users, organizations) if ticket_id in tickets else event)
        for event in events
        for ticket_id in [str(event.ticket_id)]
    ]


def _about_ticket(
    event: E,
    ticket: dict[str, Any],
    users: Mapping[str, dict[str, Any]],
    organizations: Mapping[str, dict[str, Any]],
) -> E:
    who = users.get(str(ticket.get("requester_id")), {})
    organization = organizations.get(str(ticket.get("organization_id")), {})
    organization_id = ticket.get("organization_id")
    hint = {
        "organization_id": str(organization_id) if organization_id else None,
        "organization_name": organization.get("name"),
        "organization_external_id": organization.get("external_id"),
    }
    known = filled(event, subject=event.subject or ticket.get("subject") or None, hint=hint)
    return requester(known, who.get("email"), who.get("name"))


def _by_id(body: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
    return {str(one.get("id")): one for one in rows(body.get(name) or [], name)}


def _next(body: dict[str, Any], path: str, params: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """Where to go on: a link, or the cursor where there is none (survey responses); offset pagination has a link or
    null."""
    meta = body.get("meta")
    if not isinstance(meta, dict):
        return body.get("next_page"), {}
    if not meta.get("has_more"):
        return None, {}
    link, cursor = (body.get("links") or {}).get("next"), meta.get("after_cursor")
    if link or not cursor:
        return link, {}
    return path, {**params, "page[after]": cursor}


VENDOR = Vendor(
    name="zendesk",
    base_url=base_url,
    authorize=authorize,
    calls_per_minute=200,
    needs=needs,
    enrich=enrich,
    enrich_ticket=enrich_ticket,
    list_since=list_since,
)
