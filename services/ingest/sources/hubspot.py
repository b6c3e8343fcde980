"""HubSpot: batches of thin property changes, and feedback submissions relayed by a workflow."""

from datetime import datetime
from typing import Any

import msgspec

from services.ingest import signatures
from services.ingest.scales import CES_1_7, NPS_0_10, NumberScale
from services.ingest.sources import rating
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
    accept,
    ignore,
)
from services.ingest.sources.options import replay_window, scale_of, texts
from services.ingest.sources.reading import (
    Identifier,
    comment_of,
    from_either,
    from_epoch,
    identifier,
    known,
    optional_identifier,
    parse_json,
    present,
    shape,
    state_of,
)
from shared.events.catalog import SurveyResponded, TicketChanged
from shared.events.envelope import encode_json

TICKET, SUBMISSION = "0-5", "0-19"
STAGE = "hs_pipeline_stage"
CLOSED_STAGES = ("4",)
MAX_BATCH = 1000
SCALES = {"csat": NumberScale("csat", 0, 2), "nps": NPS_0_10, "ces": CES_1_7}


class _Change(msgspec.Struct):
    subscriptionType: str
    eventId: Identifier | None = None
    subscriptionId: Identifier | None = None
    portalId: Identifier | None = None
    objectId: Identifier | None = None
    objectTypeId: str | None = None
    propertyName: str | None = None
    propertyValue: str | int | float | bool | None = None
    occurredAt: int | float | str | None = None
    mergedObjectIds: list[Identifier] | None = None


class _Submission(msgspec.Struct):
    id: Identifier | None = None
    properties: dict[str, str | int | float | None] | None = None
    updatedAt: str | None = None


def verify(request: WebhookRequest, secrets: Secrets, options: Options, now: datetime) -> None:
    signatures.hubspot(request.method, request.url, request.headers, request.body, secrets, now, replay_window(options))


def translate(request: WebhookRequest, options: Options, received_at: datetime) -> Translation:
    """Element by element. https://developers.hubspot.com/docs/guides/api/app-management/webhooks"""
    document = parse_json(request.body)
    if isinstance(document, dict):
        return _submitted(shape(document, _Submission), request.body, options, received_at)
    if not isinstance(document, list):
        raise Unprocessable("Expected a list of events or a feedback submission.")
    if len(document) > MAX_BATCH:
        raise Unprocessable(f"A batch may hold {MAX_BATCH} events.")
    events: list[Feedback] = []
    rejected: list[Rejected] = []
    for position, element in enumerate(document):
        try:
            events += _changed(shape(element, _Change), options, received_at)
        except Unprocessable as wrong:
            rejected.append(Rejected(position, str(wrong), encode_json([element]), "application/json"))
    if not events:
        reason = None if rejected else "HubSpot events of these kinds are not needed; we take tickets' stages."
        return Translation(Outcome.IGNORE, reason=reason, rejected=rejected)
    thin = any(isinstance(event, SurveyResponded) and event.is_thin for event in events)
    return Translation(Outcome.ACCEPT_ENRICH if thin else Outcome.ACCEPT, events, rejected=rejected)


def _changed(change: _Change, options: Options, received_at: datetime) -> list[Feedback]:
    kind = change.subscriptionType
    of_ticket = kind.startswith("ticket.") or change.objectTypeId == TICKET
    if of_ticket and kind.endswith(("deletion", "Deletion")):
        return [_ticket(change, "deleted", received_at)]
    if of_ticket and kind.endswith(".merge"):
        gone = (msgspec.structs.replace(change, objectId=id_) for id_ in change.mergedObjectIds or [])
        return [_ticket(one, "merged", received_at) for one in gone]
    if of_ticket and kind.endswith("propertyChange") and change.propertyName == STAGE:
        closed = str(change.propertyValue) in options.get("closed_stage_ids", CLOSED_STAGES)
        return [_ticket(change, "closed" if closed else "open", received_at)]
    if change.objectTypeId == SUBMISSION and kind.endswith(("deletion", "Deletion")):
        return [SurveyResponded(**_about(change, received_at), withdrawn=True)]
    if change.objectTypeId == SUBMISSION and kind.endswith(("creation", "propertyChange")):
        return [_thin(change, received_at)]
    return []


def _ticket(change: _Change, status: str, received_at: datetime) -> TicketChanged:
    about = _about(change, received_at)
    ticket_id, portal_id = about["record_id"], about["account_hint"].get("vendor_account_id")
    return TicketChanged(
        ticket_id=ticket_id,
        ticket_status=status,
        ticket_url=f"https://app.hubspot.com/contacts/{portal_id}/ticket/{ticket_id}" if portal_id else None,
        **about,
    )


def _thin(change: _Change, received_at: datetime) -> SurveyResponded:
    """The submission's score has to be fetched from the CRM."""
    return SurveyResponded(**_about(change, received_at))


def _about(change: _Change, received_at: datetime) -> dict[str, Any]:
    """`eventId` alone is not unique."""
    portal_id = optional_identifier(change.portalId, "portalId")
    event_id = identifier(change.eventId, "eventId")
    return {
        "source": "hubspot",
        "unique_id": identifier(f"{portal_id}:{event_id}:{change.subscriptionId}", "the delivery id"),
        "record_id": identifier(change.objectId, "objectId"),
        "received_at": received_at,
        "account_hint": known(vendor_account_id=portal_id),
        "occurred_at": from_epoch(change.occurredAt, "occurredAt", 1000),
    }


def _submitted(read: _Submission, body: bytes, options: Options, received_at: datetime) -> Translation:
    values = read.properties or {}
    metric = str(values.get("hs_survey_type") or "").lower()
    if read.properties is None:
        raise Unprocessable("properties is missing.")
    if not metric:
        raise Unprocessable("properties.hs_survey_type is missing.")
    if metric not in SCALES:
        return ignore("Surveys of this type have no CSAT, NPS or CES.")
    score = rating.rate(scale_of(options, metric, SCALES[metric]), values.get("hs_value"), "hs_value")
    if score is None:
        return ignore("The submission has no score.")
    record_id = identifier(read.id, "id")
    submitted_at = _text(values, "hs_submission_timestamp")
    return accept(
        SurveyResponded(
            source="hubspot",
            unique_id=state_of(record_id, read.updatedAt, body),
            record_id=record_id,
            received_at=received_at,
            comment=comment_of(_text(values, "hs_content")),
            ticket_id=optional_identifier(_text(values, "hs_ticket_id"), "hs_ticket_id"),
            account_hint=known(contact_id=optional_identifier(_text(values, "hs_contact_id"), "hs_contact_id")),
            occurred_at=from_either(submitted_at or present(read.updatedAt), "hs_submission_timestamp"),
            survey_id=optional_identifier(_text(values, "hs_survey_id"), "hs_survey_id"),
            **rating.fields(score),
        )
    )


def _text(values: dict[str, Any], name: str) -> str | None:
    value = values.get(name)
    return None if value is None else str(value)


SOURCE = Source(
    name="hubspot",
    verify=verify,
    translate=translate,
    signature_headers=("x-hubspot-signature-v3",),
    options={"closed_stage_ids": texts},
)
