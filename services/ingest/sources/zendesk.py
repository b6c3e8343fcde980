"""Zendesk: one hook for both kinds of its webhooks, those subscribed to events and those called by triggers."""

from datetime import datetime

from services.ingest import signatures
from services.ingest.sources import zendesk_events, zendesk_triggers
from services.ingest.sources.base import (
    Options,
    Secrets,
    Source,
    Translation,
    Unprocessable,
    WebhookRequest,
)
from services.ingest.sources.options import replay_window, text
from services.ingest.sources.reading import parse_json

INVOCATION = "x-zendesk-webhook-invocation-id"


def verify(request: WebhookRequest, secrets: Secrets, options: Options, now: datetime) -> None:
    signatures.zendesk(request.headers, request.body, secrets, now, replay_window(options))


def translate(request: WebhookRequest, options: Options, received_at: datetime) -> Translation:
    document = parse_json(request.body)
    if not isinstance(document, dict):
        raise Unprocessable("Expected a JSON object.")
    if "ticket" in document and "detail" not in document:
        invocation = request.headers.get(INVOCATION)
        return zendesk_triggers.translate(document, invocation, request.body, options, received_at)
    return zendesk_events.translate(document, options, received_at)


SOURCE = Source(
    name="zendesk",
    verify=verify,
    translate=translate,
    signature_headers=("x-zendesk-webhook-signature",),
    keeps=(INVOCATION,),
    options={"subdomain": text},
)
