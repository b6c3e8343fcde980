"""SurveyMonkey: the answers of a response, and the responses changed in a window."""

from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from typing import Any

from services.ingest.vendors.answers import Answered, scored
from services.ingest.vendors.base import Api, Options, Vendor, Window
from services.ingest.vendors.client import bearer
from services.ingest.vendors.translating import filled, found, instant, requester, rows, table
from shared.errors import PoisonError
from shared.events.catalog import SurveyResponded

_PAGE = 100


def needs(event: SurveyResponded) -> bool:
    return event.metric == "none"


async def enrich(api: Api, thin: SurveyResponded, options: Options) -> SurveyResponded:
    """https://api.surveymonkey.com/v3/docs: surveys/{id}/responses/{id}/details"""
    survey_id = thin.survey_id or thin.account_hint.get("survey_id")
    if not survey_id:
        raise PoisonError("the event does not name its survey")
    body = await api.get(f"/v3/surveys/{survey_id}/responses/{thin.record_id}/details", {"simple": "true"})
    return _read(thin, table(body, "response"), options)


async def list_since(api: Api, window: Window, options: Options, now: datetime) -> AsyncIterator[SurveyResponded]:
    """Of the surveys of the option `surveys`, or all: surveys/{id}/responses/bulk."""
    async for survey_id in _surveys(api, options):
        params: dict[str, Any] = {
            "start_modified_at": f"{window.since:%Y-%m-%dT%H:%M:%S}",
            "end_modified_at": f"{window.until:%Y-%m-%dT%H:%M:%S}",
            "status": "completed",
            "sort_by": "date_modified",
            "sort_order": "ASC",
            "simple": "true",
            "per_page": _PAGE,
        }
        async for response in _pages(api, f"/v3/surveys/{survey_id}/responses/bulk", params):
            event = _read(_blank(response, survey_id, now), response, options)
            if event.metric != "none":
                yield found(event)


async def _surveys(api: Api, options: Options) -> AsyncIterator[str]:
    if "surveys" in options:
        for survey_id in options["surveys"]:
            yield survey_id
        return
    async for survey in _pages(api, "/v3/surveys", {"per_page": _PAGE}):
        yield str(survey.get("id"))


async def _pages(api: Api, path: str, params: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    page = 1
    while True:
        body = table(await api.get(path, {**params, "page": page}), "answer")
        for one in rows(body.get("data") or [], "data"):
            yield one
        if not (body.get("links") or {}).get("next"):
            return
        page += 1


def _blank(response: dict[str, Any], survey_id: str, now: datetime) -> SurveyResponded:
    collector = response.get("collector_id")
    hint = {"survey_id": survey_id, **({"collector_id": str(collector)} if collector else {})}
    return SurveyResponded(
        source="surveymonkey",
        unique_id="",
        record_id=str(response.get("id")),
        received_at=now,
        account_hint=hint,
        survey_id=survey_id,
        occurred_at=instant(response.get("date_modified"), "date_modified"),
    )


def _read(event: SurveyResponded, response: dict[str, Any], options: Options) -> SurveyResponded:
    answered = scored(event, _answers(response), options)
    survey_id = response.get("survey_id")
    contact = (response.get("metadata") or {}).get("contact") or {}
    parts = [_contact(contact, "first_name"), _contact(contact, "last_name")]
    variables = response.get("custom_variables")
    told: dict[str, Any] = variables if isinstance(variables, dict) else {}
    hint = {name: told.get(name) for name in ("account_id", "external_id", "organization_id", "domain")}
    known = filled(
        answered,
        survey_id=str(survey_id) if survey_id else None,
        ticket_id=str(told["ticket_id"]) if told.get("ticket_id") else None,
        hint=hint,
    )
    email = response.get("email_address") or _contact(contact, "email") or told.get("email")
    return requester(known, email, " ".join(part for part in parts if part))


def _contact(contact: Any, name: str) -> str | None:
    value = contact.get(name) if isinstance(contact, dict) else None
    text = value.get("value") if isinstance(value, dict) else value
    return text if isinstance(text, str) else None


def _answers(response: dict[str, Any]) -> Iterator[Answered]:
    for page in rows(response.get("pages") or [], "pages"):
        for question in rows(page.get("questions") or [], "questions"):
            subtype = str(question.get("subtype") or question.get("family") or "")
            metric = "nps" if "nps" in subtype or "promoter" in subtype else None
            for answer in rows(question.get("answers") or [], "answers"):
                # A rating's own comment box comes as `other_id` with a text.
                free = isinstance(answer.get("text"), str)
                value = answer["text"] if free else _weight(answer)
                yield Answered(str(question.get("id")), value, metric, free, _label(answer))


def _weight(answer: dict[str, Any]) -> Any:
    metadata = answer.get("choice_metadata")
    weight = metadata.get("weight") if isinstance(metadata, dict) else None
    return None if weight == "" else weight


def _label(answer: dict[str, Any]) -> str | None:
    text = answer.get("simple_text")
    return text if isinstance(text, str) else None


VENDOR = Vendor(
    name="surveymonkey",
    base_url=lambda options: str(options.get("api_url", "https://api.surveymonkey.com")),
    authorize=bearer,
    calls_per_minute=60,
    needs=needs,
    enrich=enrich,
    list_since=list_since,
    # A private app has 500 calls a day for everything.
    reconcile_every=timedelta(hours=1),
)
