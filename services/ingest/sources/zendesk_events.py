"""Zendesk event webhooks (`zen:event-type:ticket.*`): status changes, merges, deletions, replies and ratings."""

from datetime import datetime
from typing import Any

import msgspec

from services.ingest.scales import Score
from services.ingest.sources import rating
from services.ingest.sources.base import Options, Translation, Unprocessable, accept, ignore
from services.ingest.sources.reading import (
    Identifier,
    comment_of,
    from_iso,
    identifier,
    known,
    optional_identifier,
    person,
    present,
    shape,
)
from services.ingest.sources.zendesk_rating import WITHDRAWN, read_rating, status_of, withdrawn
from shared.events.catalog import SurveyResponded, TicketChanged

PREFIX = "zen:event-type:"
RATED = ("ticket.csat_received",)
COMMENTED = "ticket.comment_added"
STATUS_CHANGED = ("ticket.status_changed", "ticket.undeleted")
# Event types that say the new status by their name.
STATUS_BY_TYPE = {
    "ticket.merged": "merged",
    "ticket.soft_deleted": "deleted",
    "ticket.permanently_deleted": "deleted",
}


class _Detail(msgspec.Struct):
    id: Identifier | None = None
    status: str | None = None
    subject: str | None = None
    organization_id: Identifier | None = None
    assignee_id: Identifier | None = None


class _Satisfaction(msgspec.Struct):
    score: Any = None
    comment: Any = None


class _Author(msgspec.Struct):
    name: str | None = None
    is_staff: bool | None = None


class _Comment(msgspec.Struct):
    is_public: bool | None = None
    author: _Author | None = None


class _Event(msgspec.Struct):
    current: Any = None
    satisfaction_score: _Satisfaction | str | int | float | None = None
    comment: Any = None


class _Envelope(msgspec.Struct):
    type: str
    id: Identifier | None = None
    time: str | None = None
    subject: str | None = None
    account_id: Identifier | None = None
    detail: _Detail | None = None
    event: _Event | None = None


def translate(document: dict[str, Any], options: Options, received_at: datetime) -> Translation:
    """Raises Unprocessable. https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events"""
    kind = _kind(document)
    if kind not in (*RATED, *STATUS_CHANGED, *STATUS_BY_TYPE, COMMENTED):
        return ignore(
            "Zendesk events of this type are not needed; we take status changes, comments and satisfaction ratings."
        )
    envelope = shape(document, _Envelope)
    if kind in RATED:
        return _rated(envelope, options, received_at)
    if kind == COMMENTED:
        return _commented(envelope, options, received_at)
    return _changed(envelope, kind, options, received_at)


def _kind(document: dict[str, Any]) -> str:
    kind = document.get("type")
    if not isinstance(kind, str):
        raise Unprocessable("Neither a Zendesk event (type is missing) nor our trigger template (ticket is missing).")
    return kind.removeprefix(PREFIX)


def _changed(envelope: _Envelope, kind: str, options: Options, received_at: datetime) -> Translation:
    event, detail = envelope.event or _Event(), envelope.detail or _Detail()
    raw = event.current if isinstance(event.current, str) else detail.status
    status = STATUS_BY_TYPE.get(kind) or status_of(raw, options)
    if status is None:
        raise Unprocessable("event.current is not a Zendesk ticket status.")
    about = _about(envelope, options, received_at)
    return accept(TicketChanged(record_id=about["ticket_id"], **{**about, "ticket_status": status}))


def _commented(envelope: _Envelope, options: Options, received_at: datetime) -> Translation:
    """An agent's public comment is the reply to the customer. It tells of no change of status."""
    comment = shape((envelope.event or _Event()).comment or {}, _Comment)
    author = comment.author or _Author()
    if not (comment.is_public and author.is_staff):
        return ignore("The comment is not an agent's public one.")
    about = {**_about(envelope, options, received_at), "ticket_status": None}
    at = about["occurred_at"] or received_at
    return accept(TicketChanged(record_id=about["ticket_id"], replied_at=at, replied_by=present(author.name), **about))


def _rated(envelope: _Envelope, options: Options, received_at: datetime) -> Translation:
    event = envelope.event or _Event()
    satisfaction = event.satisfaction_score
    if not isinstance(satisfaction, _Satisfaction):
        satisfaction = _Satisfaction(score=satisfaction)
    score = read_rating(_base_word(satisfaction.score), options)
    if score == WITHDRAWN:
        return accept(withdrawn(_about(envelope, options, received_at)))
    if score is None:
        return ignore("The survey is offered but not answered yet.")
    about = _about(envelope, options, received_at)
    comment = _comment(satisfaction.comment) or _comment(event.comment)
    return accept(_response(score, satisfaction.score, comment, about))


def _response(score: Score, raw: Any, comment: str | None, about: dict[str, Any]) -> SurveyResponded:
    return SurveyResponded(
        record_id=f"csat:{about['ticket_id']}",
        comment=comment,
        **rating.fields(score._replace(raw=raw)),
        **about,
    )


def _base_word(raw: Any) -> Any:
    """GOOD of GOOD_WITH_COMMENT."""
    return raw[: -len("_WITH_COMMENT")] if isinstance(raw, str) and raw.upper().endswith("_WITH_COMMENT") else raw


def _comment(value: Any) -> str | None:
    """Where the comment lies is not documented: a text, or an object with a `body`."""
    if isinstance(value, dict):
        value = value.get("body")
    return comment_of(value) if isinstance(value, str) else None


def _about(envelope: _Envelope, options: Options, received_at: datetime) -> dict[str, Any]:
    detail = envelope.detail or _Detail()
    # The subject is zen:ticket:<id>.
    of_subject = (envelope.subject or "").rpartition(":ticket:")[2]
    ticket_id = identifier(detail.id if detail.id is not None else of_subject, "detail.id")
    subdomain = options.get("subdomain")
    return {
        "source": "zendesk",
        "unique_id": identifier(envelope.id, "id"),
        "received_at": received_at,
        "ticket_id": ticket_id,
        "ticket_status": status_of(detail.status, options),
        "subject": present(detail.subject),
        "ticket_url": f"https://{subdomain}.zendesk.com/agent/tickets/{ticket_id}" if subdomain else None,
        "account_hint": known(
            vendor_account_id=optional_identifier(envelope.account_id, "account_id"),
            organization_id=optional_identifier(detail.organization_id, "detail.organization_id"),
        ),
        "assignee": person(id=optional_identifier(detail.assignee_id, "detail.assignee_id")),
        "occurred_at": from_iso(envelope.time, "time"),
    }
