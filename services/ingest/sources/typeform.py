"""Typeform: form responses; which answers are scores and comments is said by the options."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from services.ingest.scales import NPS_0_10, Scale
from services.ingest.signatures import TYPEFORM
from services.ingest.sources import rating
from services.ingest.sources.base import (
    Feedback,
    Options,
    Source,
    Translation,
    Unprocessable,
    WebhookRequest,
    accept,
    ignore,
)
from services.ingest.sources.body_signature import verify_by
from services.ingest.sources.options import text, texts
from services.ingest.sources.reading import (
    Identifier,
    asked_by,
    comment_of,
    from_iso,
    identifier,
    optional_identifier,
    parse_json,
    shape,
)
from services.ingest.sources.survey_options import scored_questions
from shared.events.catalog import SurveyResponded


class _Field(msgspec.Struct):
    id: str | None = None
    type: str | None = None
    ref: str | None = None


class _Choice(msgspec.Struct):
    label: str | int | float | None = None


class _Answer(msgspec.Struct):
    field: _Field | None = None
    number: Any = None
    choice: _Choice | None = None
    text: str | None = None
    email: str | None = None


class _Response(msgspec.Struct):
    token: Identifier | None = None
    form_id: Identifier | None = None
    submitted_at: str | None = None
    hidden: dict[str, Any] | None = None
    answers: list[_Answer] | None = None


class _Envelope(msgspec.Struct):
    event_type: str | None = None
    event_id: Identifier | None = None
    form_response: _Response | None = None


def translate(request: WebhookRequest, options: Options, received_at: datetime) -> Translation:
    """https://www.typeform.com/developers/webhooks/example-payload/ : the first score is the response, each further one
    a response of its own."""
    envelope = shape(parse_json(request.body), _Envelope)
    if not envelope.event_type:
        raise Unprocessable("event_type is missing.")
    if envelope.event_type != "form_response":
        return ignore("Typeform events of this type are not needed; we take form_response.")
    response = envelope.form_response or _Response()
    token = identifier(response.token, "form_response.token")
    about = _about(envelope, response, options, received_at)
    events: list[Feedback] = []
    for ref, score in _scores(response.answers or [], options):
        record_id = token if not events else identifier(f"{token}:{ref}", "form_response.token")
        events.append(SurveyResponded(record_id=record_id, **rating.fields(score), **about))
    return accept(*events) if events else ignore("No answer is a score; map questions in the option `scores`.")


def _scores(answers: list[_Answer], options: Options) -> Iterator[tuple[str, Any]]:
    scales: dict[str, Scale] = options.get("scores", {})
    for answer in answers:
        field = answer.field or _Field()
        ref = field.ref or field.id or ""
        scale = scales.get(ref) or scales.get(field.id or "") or (NPS_0_10 if field.type == "nps" else None)
        score = rating.rate(scale, _value(answer), f"the answer to {ref[:40]}") if scale else None
        if score is not None:
            yield ref, score


def _value(answer: _Answer) -> Any:
    """Ratings, opinion scales and NPS are numbers; a choice, and a short text, may be written as one."""
    if answer.number is not None:
        return answer.number
    return answer.choice.label if answer.choice else answer.text


def _about(envelope: _Envelope, response: _Response, options: Options, received_at: datetime) -> dict[str, Any]:
    answers, hidden = response.answers or [], response.hidden or {}
    email = _first(answers, "email", options.get("email_refs")) or _hidden(hidden, "email")
    account_id = _hidden(hidden, options.get("account_hidden", "account_id"))
    return {
        "source": "typeform",
        "unique_id": identifier(envelope.event_id, "event_id"),
        "received_at": received_at,
        "comment": comment_of(_first(answers, "text", options.get("comment_refs"))),
        "ticket_id": _hidden(hidden, options.get("ticket_hidden", "ticket_id")),
        "occurred_at": from_iso(response.submitted_at, "form_response.submitted_at"),
        "survey_id": optional_identifier(response.form_id, "form_response.form_id"),
        **asked_by(email, account_id=account_id),
    }


def _first(answers: list[_Answer], kind: str, refs: tuple[str, ...] | None) -> str | None:
    """The first answer of that kind, among the questions of `refs` where they are given."""
    for answer in answers:
        value: str | None = getattr(answer, kind)
        field = answer.field or _Field()
        if value and (refs is None or field.ref in refs or field.id in refs):
            return value
    return None


def _hidden(hidden: dict[str, Any], name: str) -> str | None:
    value = hidden.get(name)
    return optional_identifier(value, f"hidden.{name}") if isinstance(value, str | int) else None


SOURCE = Source(
    name="typeform",
    verify=verify_by(TYPEFORM),
    translate=translate,
    signature_headers=(TYPEFORM.header,),
    options={
        "scores": scored_questions,
        "comment_refs": texts,
        "email_refs": texts,
        "ticket_hidden": text,
        "account_hidden": text,
    },
)
