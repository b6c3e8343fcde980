"""SurveyMonkey: the answers of a response, and the responses changed in a window."""

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from services.ingest.vendors.answers import Answered, scored
from services.ingest.vendors.base import Api, Gone, Options, Vendor, Window
from services.ingest.vendors.client import bearer
from services.ingest.vendors.translating import filled, found, instant, requester, rows, table
from shared.errors import PoisonError
from shared.events.catalog import SurveyResponded

_PAGE = 100

Choices = Mapping[str, dict[str, Any]]


def needs(event: SurveyResponded) -> bool:
    return event.metric == "none"


async def enrich(api: Api, thin: SurveyResponded, options: Options) -> SurveyResponded:
    """https://api.surveymonkey.com/v3/docs: surveys/{id}/responses/{id}/details"""
    survey_id = thin.survey_id or thin.account_hint.get("survey_id")
    if not survey_id:
        raise PoisonError("the event does not name its survey")
    body = await api.get(f"/v3/surveys/{survey_id}/responses/{thin.record_id}/details", {"simple": "true"})
    return await _scored(api, thin, table(body, "response"), str(survey_id), options)


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
            event = await _scored(api, _blank(response, survey_id, now), response, survey_id, options)
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


async def _scored(
    api: Api, event: SurveyResponded, response: dict[str, Any], survey_id: str, options: Options
) -> SurveyResponded:
    """Responses name choices by id; what a declared one weighs may stand only in the survey."""
    read = _read(event, response, options, {})
    chosen = _chosen(response, options)
    if read.metric != "none" or not chosen:
        return read
    return _read(event, response, options, await _choices(api, survey_id, chosen))


def _chosen(response: dict[str, Any], options: Options) -> set[str]:
    """The choices by which questions were answered that are declared to be scores."""
    scales, _ = options.get("questions", ({}, ()))
    given = ((str(question.get("id")), answer.get("choice_id")) for question, answer in _given(response))
    return {str(choice) for question, choice in given if question in scales and choice}


async def _choices(api: Api, survey_id: str, chosen: set[str]) -> Choices:
    """By id; asked again only when the survey was given others. https://api.surveymonkey.com/v3/docs:
    surveys/{id}/details"""
    if not chosen <= api.kept.get(survey_id, {}).keys():
        try:
            survey = table(await api.get(f"/v3/surveys/{survey_id}/details"), "survey")
        except Gone:
            return {}
        listed: list[dict[str, Any]] = []
        for question in _questions(survey):
            listed += rows(table(question.get("answers") or {}, "answers").get("choices") or [], "choices")
        api.kept[survey_id] = {str(choice.get("id")): choice for choice in listed}
    found: Choices = api.kept[survey_id]
    return found


def _read(event: SurveyResponded, response: dict[str, Any], options: Options, choices: Choices) -> SurveyResponded:
    answered = scored(event, _answers(response, choices), options)
    survey_id = response.get("survey_id")
    contact = (response.get("metadata") or {}).get("contact") or {}
    parts = [_contact(contact, name) or _contact(response, name) for name in ("first_name", "last_name")]
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


def _answers(response: dict[str, Any], choices: Choices) -> Iterator[Answered]:
    for question, answer in _given(response):
        subtype = str(question.get("subtype") or question.get("family") or "")
        metric = "nps" if "nps" in subtype or "promoter" in subtype else None
        choice = choices.get(str(answer.get("choice_id")), {})
        # A rating's own comment box comes as `other_id` with a text.
        free = isinstance(answer.get("text"), str)
        value = answer["text"] if free else _weight(answer, choice)
        yield Answered(str(question.get("id")), value, metric, free, _label(answer, choice))


def _given(response: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each question with each of its answers."""
    for question in _questions(response):
        for answer in rows(question.get("answers") or [], "answers"):
            yield question, answer


def _questions(pages_of: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for page in rows(pages_of.get("pages") or [], "pages"):
        yield from rows(page.get("questions") or [], "questions")


def _weight(answer: dict[str, Any], choice: dict[str, Any]) -> Any:
    metadata = answer.get("choice_metadata")
    weight = metadata.get("weight") if isinstance(metadata, dict) else choice.get("weight")
    return None if weight == "" else weight


def _label(answer: dict[str, Any], choice: dict[str, Any]) -> str | None:
    text = answer.get("simple_text") or choice.get("text")
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
