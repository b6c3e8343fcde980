"""Standard Webhooks (standardwebhooks.com): our JSON, signed over id, timestamp and body."""

from datetime import datetime

from services.ingest import signatures
from services.ingest.sources.base import Options, Secrets, Source, Translation, WebhookRequest
from services.ingest.sources.options import replay_window
from services.ingest.sources.our_json import Envelope, translate_data
from services.ingest.sources.reading import digest, identifier, parse_json, shape


def verify(request: WebhookRequest, secrets: Secrets, options: Options, now: datetime) -> None:
    signatures.standard(request.headers, request.body, secrets, now, replay_window(options))


def translate(request: WebhookRequest, options: Options, received_at: datetime) -> Translation:
    envelope = shape(parse_json(request.body), Envelope)
    delivery = request.headers.get("webhook-id") or request.headers.get("svix-id") or digest(request.body)
    unique_id = identifier(delivery, "webhook-id")
    kind = envelope.type or ""
    return translate_data(kind, envelope.data, SOURCE.name, unique_id, envelope.timestamp, options, received_at)


SOURCE = Source(
    name="standard",
    verify=verify,
    translate=translate,
    signature_headers=("webhook-signature", "svix-signature"),
    keeps=("webhook-id", "svix-id"),
)
