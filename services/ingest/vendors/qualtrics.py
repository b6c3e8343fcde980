"""Qualtrics: the answers of a response, which its event subscription leaves out."""

from typing import Any

from services.ingest.vendors.answers import Answered, scored
from services.ingest.vendors.base import Api, Options, Vendor
from services.ingest.vendors.translating import filled, instant, requester, table
from shared.errors import ConfigurationError, PoisonError
from shared.events.catalog import SurveyResponded

_NPS_GROUP = "_NPS_GROUP"
_HINTS = ("account_id", "external_id", "organization_id", "domain")


def base_url(options: Options) -> str:
    if "api_url" in options:
        return str(options["api_url"])
    if "datacenter" not in options:
        raise ConfigurationError("sources.qualtrics.datacenter is needed to call Qualtrics' API, such as fra1")
    return f"https://{options['datacenter']}.qualtrics.com"


def needs(event: SurveyResponded) -> bool:
    return event.metric == "none"


async def enrich(api: Api, thin: SurveyResponded, options: Options) -> SurveyResponded:
    """https://api.qualtrics.com: surveys/{id}/responses/{id}. A question beside whose answer Qualtrics puts a group of
    promoters is its NPS; others are named by the option `questions`."""
    survey_id = thin.survey_id or thin.account_hint.get("survey_id")
    if not survey_id:
        raise PoisonError("the event does not name its survey")
    body = table(await api.get(f"/API/v3/surveys/{survey_id}/responses/{thin.record_id}"), "answer")
    values = table(table(body.get("result"), "result").get("values"), "values")
    event = scored(thin, [_answer(name, value, values) for name, value in values.items()], options)
    name = " ".join(str(values[part]) for part in ("recipientFirstName", "recipientLastName") if values.get(part))
    known = filled(
        event,
        survey_id=str(survey_id),
        occurred_at=event.occurred_at or instant(_text(values.get("recordedDate")), "recordedDate"),
        ticket_id=event.ticket_id or _text(values.get("ticket_id")),
        hint={hint: _text(values.get(hint)) for hint in _HINTS},
    )
    return requester(known, values.get("recipientEmail"), name)


def _answer(name: str, value: Any, values: dict[str, Any]) -> Answered:
    return Answered(name, value, "nps" if f"{name}{_NPS_GROUP}" in values else None, name.endswith("_TEXT"))


def _text(value: Any) -> str | None:
    return str(value) if value not in (None, "") else None


VENDOR = Vendor(
    name="qualtrics",
    base_url=base_url,
    authorize=lambda token: {"x-api-token": token},
    calls_per_minute=200,
    needs=needs,
    enrich=enrich,
)
