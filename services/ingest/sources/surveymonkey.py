"""SurveyMonkey: thin events that name a response; its answers have to be fetched."""

from datetime import datetime

import msgspec

from services.ingest.signatures import SURVEYMONKEY
from services.ingest.sources.base import (
    Options,
    Outcome,
    Source,
    Translation,
    Unprocessable,
    WebhookRequest,
    ignore,
)
from services.ingest.sources.body_signature import verify_by
from services.ingest.sources.options import text
from services.ingest.sources.reading import (
    Identifier,
    from_iso,
    identifier,
    known,
    optional_identifier,
    parse_json,
    shape,
)
from shared.events.catalog import SurveyResponded

EVENTS = ("response_completed", "response_updated")
DELETED = "response_deleted"


class _Resources(msgspec.Struct):
    survey_id: Identifier | None = None
    collector_id: Identifier | None = None


class _Event(msgspec.Struct):
    event_type: str | None = None
    event_id: Identifier | None = None
    object_id: Identifier | None = None
    event_datetime: str | None = None
    resources: _Resources | None = None


def translate(request: WebhookRequest, options: Options, received_at: datetime) -> Translation:
    event = shape(parse_json(request.body), _Event)
    if not event.event_type:
        raise Unprocessable("event_type is missing.")
    deleted = event.event_type == DELETED
    if event.event_type not in EVENTS and not deleted:
        return ignore(f"SurveyMonkey events of this type are not needed; we take {', '.join((*EVENTS, DELETED))}.")
    resources = event.resources or _Resources()
    survey_id = optional_identifier(resources.survey_id, "resources.survey_id")
    thin = SurveyResponded(
        source="surveymonkey",
        unique_id=identifier(event.event_id, "event_id"),
        record_id=identifier(event.object_id, "object_id"),
        received_at=received_at,
        account_hint=known(
            survey_id=survey_id,
            collector_id=optional_identifier(resources.collector_id, "resources.collector_id"),
        ),
        occurred_at=from_iso(event.event_datetime, "event_datetime"),
        survey_id=survey_id,
        withdrawn=deleted,
    )
    return Translation(Outcome.ACCEPT if deleted else Outcome.ACCEPT_ENRICH, [thin])


SOURCE = Source(
    name="surveymonkey",
    verify=verify_by(SURVEYMONKEY),
    translate=translate,
    signature_headers=(SURVEYMONKEY.header,),
    options={"fetch": text},
)
