"""Formbricks: responses keyed by question; which are scores and comments is said by the option `questions`."""

from datetime import datetime
from typing import Any

import msgspec

from services.ingest import signatures
from services.ingest.sources import rating
from services.ingest.sources.base import (
    Feedback,
    Options,
    Secrets,
    Source,
    Translation,
    Unprocessable,
    WebhookRequest,
    accept,
    ignore,
)
from services.ingest.sources.options import replay_window, text
from services.ingest.sources.reading import (
    Identifier,
    asked_by,
    comment_of,
    digest,
    from_iso,
    identifier,
    optional_identifier,
    parse_json,
    shape,
)
from services.ingest.sources.survey_options import questions
from shared.events.catalog import SurveyResponded

EVENTS = ("responseCreated", "responseUpdated", "responseFinished")


class _Contact(msgspec.Struct):
    userId: Identifier | None = None


class _Response(msgspec.Struct):
    id: Identifier | None = None
    surveyId: Identifier | None = None
    updatedAt: str | None = None
    contact: _Contact | None = None
    contactAttributes: dict[str, Any] | None = None
    data: dict[str, Any] | None = None


class _Envelope(msgspec.Struct):
    event: str | None = None
    data: _Response | None = None


def verify(request: WebhookRequest, secrets: Secrets, options: Options, now: datetime) -> None:
    signatures.standard(request.headers, request.body, secrets, now, replay_window(options))


def translate(request: WebhookRequest, options: Options, received_at: datetime) -> Translation:
    """Shapes: formbricks/formbricks docs, integrations/webhooks. The first score is the response, each further one a
    response of its own; while a response is filled in, a later delivery may have a score before the first one."""
    envelope = shape(parse_json(request.body), _Envelope)
    if not envelope.event:
        raise Unprocessable("event is missing.")
    if envelope.event not in EVENTS:
        return ignore(f"Formbricks events of this kind are not needed; we take {', '.join(EVENTS)}.")
    response = envelope.data or _Response()
    response_id = identifier(response.id, "data.id")
    scales, _ = options.get("questions", ({}, ()))
    about = _about(request, response, options, received_at)
    events: list[Feedback] = []
    for question, scale in scales.items():
        score = rating.rate(scale, (response.data or {}).get(question), f"the answer to {question[:40]}")
        if score is not None:
            key = identifier(f"{response_id}:{question}", "data.id")
            record_id = response_id if not events else key
            events.append(SurveyResponded(record_id=record_id, record_key=key, **rating.fields(score), **about))
    return accept(*events) if events else ignore("No answer is a score; map questions in the option `questions`.")


def _about(request: WebhookRequest, response: _Response, options: Options, received_at: datetime) -> dict[str, Any]:
    answers, attributes = response.data or {}, response.contactAttributes or {}
    _, comments = options.get("questions", ({}, ()))
    found = (comment_of(answers[key]) for key in comments if isinstance(answers.get(key), str))
    email = _text(answers, options.get("email_field", "email")) or _text(attributes, "email")
    contact = response.contact or _Contact()
    return {
        "source": "formbricks",
        "unique_id": identifier(request.headers.get("webhook-id") or digest(request.body), "webhook-id"),
        "received_at": received_at,
        "comment": next((comment for comment in found if comment), None),
        "ticket_id": optional_identifier(_text(answers, options.get("ticket_field", "ticket_id")), "the ticket's id"),
        "occurred_at": from_iso(response.updatedAt, "data.updatedAt"),
        "survey_id": optional_identifier(response.surveyId, "data.surveyId"),
        **asked_by(
            email,
            contact_user_id=optional_identifier(contact.userId, "contact.userId"),
            contact_attributes={key: value for key, value in attributes.items() if key != "email"},
        ),
    }


def _text(values: dict[str, Any], name: str) -> str | None:
    value = values.get(name)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


SOURCE = Source(
    name="formbricks",
    verify=verify,
    translate=translate,
    signature_headers=("webhook-signature",),
    keeps=("webhook-id",),
    options={"questions": questions, "ticket_field": text, "email_field": text},
)
