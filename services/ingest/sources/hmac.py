"""GitHub-style webhooks: our JSON, signed over the body in X-Hub-Signature-256."""

from datetime import datetime

from services.ingest.signatures import GITHUB
from services.ingest.sources.base import Options, Source, Translation, WebhookRequest
from services.ingest.sources.body_signature import verify_by
from services.ingest.sources.options import text
from services.ingest.sources.our_json import Envelope, translate_data
from services.ingest.sources.reading import digest, identifier, parse_json, shape

DELIVERY = "x-github-delivery"
EVENT = "x-github-event"


def translate(request: WebhookRequest, options: Options, received_at: datetime) -> Translation:
    envelope = shape(parse_json(request.body), Envelope)
    delivery = request.headers.get(options.get("delivery_header", DELIVERY)) or digest(request.body)
    unique_id = identifier(delivery, "the delivery header")
    kind = envelope.type or request.headers.get(EVENT, "")
    return translate_data(kind, envelope.data, SOURCE.name, unique_id, envelope.timestamp, options, received_at)


SOURCE = Source(
    name="hmac",
    verify=verify_by(GITHUB),
    translate=translate,
    signature_headers=(GITHUB.header,),
    keeps=(DELIVERY, EVENT),
    options={"delivery_header": lambda value: text(value).lower()},
)
