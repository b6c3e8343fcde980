"""Qualtrics: form-encoded events that name a completed response; its answers have to be fetched."""

from datetime import datetime
from urllib.parse import parse_qsl

import msgspec

from services.ingest import signatures
from services.ingest.signatures import InvalidSignature
from services.ingest.sources.base import (
    Content,
    Options,
    Outcome,
    Secrets,
    Source,
    Translation,
    Unprocessable,
    WebhookRequest,
    ignore,
)
from services.ingest.sources.options import text
from services.ingest.sources.reading import (
    Identifier,
    clean,
    identifier,
    known,
    optional_identifier,
    parse_json,
    shape,
)
from services.ingest.sources.shared_secret import verify_with_query
from shared.events.catalog import SurveyResponded

COMPLETED = "completedResponse"
_MAX_FIELDS = 100


class _Message(msgspec.Struct):
    Status: str | None = None
    SurveyID: Identifier | None = None
    ResponseID: Identifier | None = None
    BrandID: Identifier | None = None


def verify(request: WebhookRequest, secrets: Secrets, options: Options, now: datetime) -> None:
    """The signature is a field of the form; without one the option `unsigned` lets the shared secret in."""
    try:
        form = _form(request.body)
    except Unprocessable as wrong:
        raise InvalidSignature(str(wrong)) from None
    if "HMAC" in form:
        signatures.qualtrics(form["HMAC"], form.get("MSG", ""), secrets)
    elif options.get("unsigned"):
        verify_with_query(request, secrets, options, now)
    else:
        raise InvalidSignature("The form has no HMAC field: give the subscription a shared key.")


def translate(request: WebhookRequest, options: Options, received_at: datetime) -> Translation:
    """With a shared key the event is JSON in MSG, without one its fields are the form's."""
    form = _form(request.body)
    document = parse_json(form["MSG"].encode("utf-8", "replace")) if "MSG" in form else form
    message = shape(document, _Message)
    topic = form.get("Topic") or form.get("topic")
    if topic and COMPLETED not in topic:
        return ignore(f"Qualtrics events of this topic are not needed; we take {COMPLETED}.")
    if (message.Status or "Complete") != "Complete":
        return ignore("The response is not complete.")
    response_id = identifier(message.ResponseID, "ResponseID")
    survey_id = optional_identifier(message.SurveyID, "SurveyID")
    # CompletedDate has no zone, so it is no instant.
    thin = SurveyResponded(
        source="qualtrics",
        unique_id=response_id,
        record_id=response_id,
        received_at=received_at,
        account_hint=known(brand_id=optional_identifier(message.BrandID, "BrandID"), survey_id=survey_id),
        survey_id=survey_id,
    )
    return Translation(Outcome.ACCEPT_ENRICH, [thin])


def _form(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
    except ValueError:
        raise Unprocessable("The body is not a form.") from None
    return {clean(name): clean(value) for name, value in pairs}


SOURCE = Source(
    name="qualtrics",
    verify=verify,
    translate=translate,
    content=Content.FORM,
    options={"fetch": text, "completed_date_tz": text},
)
