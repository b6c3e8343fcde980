"""Delighted: survey responses of every kind, created and updated."""

from datetime import datetime
from typing import Any

import msgspec

from services.ingest.scales import CSAT_1_5, GOOD_BAD, NPS_0_10, NumberScale, Score, ScoreError, is_missing, to_number
from services.ingest.signatures import DELIGHTED
from services.ingest.sources import rating
from services.ingest.sources.base import (
    Options,
    Source,
    Translation,
    Unprocessable,
    WebhookRequest,
    accept,
    ignore,
)
from services.ingest.sources.body_signature import verify_by
from services.ingest.sources.options import scale_of, text
from services.ingest.sources.reading import (
    Identifier,
    asked_by,
    comment_of,
    from_epoch,
    identifier,
    optional_identifier,
    parse_json,
    shape,
)
from shared.events.catalog import SurveyResponded

EVENTS = ("survey_response.created", "survey_response.updated")
SCALES = {
    "nps": NPS_0_10,
    "csat": CSAT_1_5,
    "csat3": NumberScale("csat", 1, 3),
    "csat5": CSAT_1_5,
    **dict.fromkeys(("smiley", "smileys", "smileys_five", "five_star", "stars_five", "stars", "5-star"), CSAT_1_5),
    "ces": NumberScale("ces", 1, 5),
    "ces5": NumberScale("ces", 1, 5),
    "ces7": NumberScale("ces", 1, 7),
}

_THUMBS = {0.0: "bad", 1.0: "good"}

Epoch = int | float | str


class _Person(msgspec.Struct):
    email: str | None = None
    name: str | None = None


class _Response(msgspec.Struct):
    id: Identifier | None = None
    person: _Person | None = None
    survey_type: str | None = None
    score: Any = None
    comment: str | None = None
    created_at: Epoch | None = None
    updated_at: Epoch | None = None
    person_properties: dict[str, Any] | None = None


class _Envelope(msgspec.Struct):
    event_type: str
    event_id: Identifier | None = None
    event_data: _Response | None = None


class _Kind(msgspec.Struct):
    event_type: str


def translate(request: WebhookRequest, options: Options, received_at: datetime) -> Translation:
    """https://app.delighted.com/docs/api/webhooks"""
    document = parse_json(request.body)
    if shape(document, _Kind).event_type not in EVENTS:
        return ignore(f"Delighted events of this type are not needed; we take {', '.join(EVENTS)}.")
    envelope = shape(document, _Envelope)
    response = envelope.event_data or _Response()
    survey = (response.survey_type or "").lower()
    if not survey:
        raise Unprocessable("event_data.survey_type is missing.")
    if survey not in SCALES and survey != "thumbs":
        return ignore("Surveys of this type have no CSAT, NPS or CES.")
    record_id = identifier(response.id, "event_data.id")
    unique_id = identifier(envelope.event_id, "event_id")
    score = _score(survey, response.score, options)
    if score is None:
        return ignore("The response has no score.")
    return accept(_responded(response, score, record_id, unique_id, options, received_at))


def _score(survey: str, raw: Any, options: Options) -> Score | None:
    """`ces_scale` and the like replace the scale of the metric's plain survey type."""
    try:
        if survey == "thumbs":
            return None if is_missing(raw) else GOOD_BAD.score(raw, _THUMBS.get(float(to_number(raw))))
        scale = SCALES[survey]
        return (scale_of(options, survey, scale) if survey == scale.metric else scale).score(raw)
    except ScoreError as wrong:
        raise Unprocessable(f"event_data.score: {wrong}.") from None


def _responded(
    response: _Response, score: Score, record_id: str, unique_id: str, options: Options, received_at: datetime
) -> SurveyResponded:
    who = response.person or _Person()
    updated_at = from_epoch(response.updated_at, "event_data.updated_at")
    return SurveyResponded(
        source="delighted",
        unique_id=unique_id,
        record_id=record_id,
        received_at=received_at,
        comment=comment_of(response.comment),
        ticket_id=_property(response, options.get("ticket_property", "ticket_id")),
        occurred_at=updated_at or from_epoch(response.created_at, "event_data.created_at"),
        **rating.fields(score),
        **asked_by(who.email, who.name, properties=_account_properties(response, options)),
    )


def _account_properties(response: _Response, options: Options) -> dict[str, str]:
    name = options.get("account_property")
    value = _property(response, name) if name else None
    return {name: value} if name and value else {}


def _property(response: _Response, name: str) -> str | None:
    """A person property as an id; properties are what the customer made of them."""
    value = (response.person_properties or {}).get(name)
    return optional_identifier(value, f"the property {name}") if isinstance(value, str | int) else None


SOURCE = Source(
    name="delighted",
    verify=verify_by(DELIGHTED),
    translate=translate,
    signature_headers=(DELIGHTED.header,),
    options={"ticket_property": text, "account_property": text},
)
