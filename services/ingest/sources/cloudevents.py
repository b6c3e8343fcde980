"""CloudEvents 1.0 over HTTP in its three modes, carrying our own JSON as data."""

import binascii
from base64 import b64decode
from datetime import datetime
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from services.ingest import signatures
from services.ingest.sources.base import (
    Feedback,
    Options,
    Outcome,
    Rejected,
    Secrets,
    Source,
    Translation,
    Unprocessable,
    WebhookRequest,
)
from services.ingest.sources.our_json import translate_data
from services.ingest.sources.reading import clean, parse_json, present, shape
from shared.events.envelope import encode_json

BATCH = "application/cloudevents-batch"
STRUCTURED = "application/cloudevents"
STRUCTURED_JSON = "application/cloudevents+json"
MAX_BATCH = 1000

_ATTRIBUTES = ("specversion", "id", "source", "type", "time")
_MAX_ATTRIBUTE = 240


class _CloudEvent(msgspec.Struct):
    specversion: str | None = None
    id: str | None = None
    source: str | None = None
    type: str | None = None
    time: str | None = None
    data: Any = None
    data_base64: str | None = None


def verify(request: WebhookRequest, secrets: Secrets, options: Options, now: datetime) -> None:
    signatures.shared_secret(request.headers, None, secrets)


def translate(request: WebhookRequest, options: Options, received_at: datetime) -> Translation:
    """Raises Unprocessable. https://github.com/cloudevents/spec HTTP protocol binding, section 3."""
    kind = request.headers.get("content-type", "").strip().lower()
    # The batch type begins like the structured one, so it is tested first.
    if kind.startswith(BATCH):
        return _batch(parse_json(request.body), options, received_at)
    if kind.startswith(STRUCTURED):
        return _one(shape(parse_json(request.body), _CloudEvent), options, received_at)
    if "ce-specversion" not in request.headers and "ce-id" not in request.headers:
        raise Unprocessable("Not a CloudEvent: neither its media type nor ce- headers.")
    attributes = {name: _attribute(request.headers.get(f"ce-{name}")) for name in _ATTRIBUTES}
    return _one(_CloudEvent(**attributes, data=parse_json(request.body)), options, received_at)


def _batch(document: Any, options: Options, received_at: datetime) -> Translation:
    """Good elements are taken, bad ones rejected one by one, unknown types left out."""
    if not isinstance(document, list):
        raise Unprocessable("A batch must be a JSON array.")
    if len(document) > MAX_BATCH:
        raise Unprocessable(f"A batch may hold {MAX_BATCH} events.")
    events: list[Feedback] = []
    rejected: list[Rejected] = []
    ignored = "The batch is empty."
    for index, element in enumerate(document):
        try:
            translation = _one(shape(element, _CloudEvent), options, received_at)
        except Unprocessable as wrong:
            rejected.append(Rejected(index, str(wrong), encode_json(element), STRUCTURED_JSON))
            continue
        events += translation.events
        ignored = translation.reason or ignored
    outcome = Outcome.ACCEPT if events else Outcome.IGNORE
    return Translation(outcome, events, None if events or rejected else ignored, rejected)


def _one(event: _CloudEvent, options: Options, received_at: datetime) -> Translation:
    if event.specversion != "1.0":
        raise Unprocessable("specversion must be 1.0.")
    event_id, source, kind = (_required(event, name) for name in ("id", "source", "type"))
    unique_id = f"{source}|{event_id}"
    return translate_data(kind, _data(event), SOURCE.name, unique_id, event.time, options, received_at)


def _required(event: _CloudEvent, name: str) -> str:
    value = present(getattr(event, name))
    if value is None:
        raise Unprocessable(f"{name} is missing.")
    if len(value) > _MAX_ATTRIBUTE:
        raise Unprocessable(f"{name} is longer than {_MAX_ATTRIBUTE} characters.")
    return clean(value)


def _data(event: _CloudEvent) -> Any:
    if event.data_base64 is None:
        return event.data
    if event.data is not None:
        raise Unprocessable("data and data_base64 exclude each other.")
    try:
        return parse_json(b64decode(event.data_base64, validate=True))
    except (binascii.Error, ValueError):
        raise Unprocessable("data_base64 is not base64.") from None


def _attribute(value: str | None) -> str | None:
    """A header's value, percent-decoded once."""
    if value is None:
        return None
    try:
        return unquote_to_bytes(value.encode("latin-1")).decode()
    except UnicodeError:
        raise Unprocessable("A ce- header is not percent-encoded UTF-8.") from None


SOURCE = Source(
    name="events",
    verify=verify,
    translate=translate,
    keeps=tuple(f"ce-{name}" for name in _ATTRIBUTES),
)
