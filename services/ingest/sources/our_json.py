"""Our own documented JSON (docs/webhooks.md), which `standard`, `hmac` and CloudEvents carry."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from services.ingest.scales import NumberScale, ScoreError, to_number
from services.ingest.sources import rating
from services.ingest.sources.base import Options, Translation, Unprocessable, accept, handshake, ignore
from services.ingest.sources.options import STATUSES, scale_of
from services.ingest.sources.reading import (
    Identifier,
    Person,
    assigned,
    comment_of,
    email_of,
    from_iso,
    identifier,
    known,
    link_of,
    optional_identifier,
    present,
    shape,
)
from shared.events.catalog import SurveyResponded, TicketChanged

SURVEY_TYPES = ("survey.response.created", "survey.response.updated")
WITHDRAWAL_TYPES = ("survey.response.withdrawn", "survey.response.deleted")
TICKET_TYPES = ("ticket.updated",)
_TYPES = SURVEY_TYPES + WITHDRAWAL_TYPES + TICKET_TYPES
PING_TYPES = ("ping", "test")


class _Ticket(msgspec.Struct):
    id: Identifier | None = None
    status: str | None = None
    subject: str | None = None
    url: str | None = None


class _Respondent(msgspec.Struct):
    email: str | None = None
    name: str | None = None


class _Account(msgspec.Struct):
    id: Identifier | None = None
    account_id: Identifier | None = None
    external_id: Identifier | None = None
    organization_id: Identifier | None = None
    organization_external_id: Identifier | None = None
    organization_name: str | None = None
    domain: str | None = None
    name: str | None = None


class _Data(msgspec.Struct):
    id: Identifier | None = None
    metric: str | None = None
    score: Any = None
    scale: dict[str, Any] | None = None
    comment: str | None = None
    ticket: _Ticket | None = None
    respondent: _Respondent | None = None
    account: _Account | None = None
    assignee: Person | None = None
    survey_id: Identifier | None = None
    occurred_at: str | None = None
    status: str | None = None
    subject: str | None = None
    url: str | None = None


class _Element(msgspec.Struct):
    """Read under its own name, so that a refusal names the path that the sender wrote."""

    data: _Data


class Envelope(msgspec.Struct):
    """`{"type": ..., "timestamp": ..., "data": {...}}`"""

    type: str | None = None
    timestamp: str | None = None
    data: Any = None


def translate_data(
    kind: str,
    data: Any,
    source: str,
    unique_id: str,
    timestamp: str | None,
    options: Options,
    received_at: datetime,
) -> Translation:
    """One element of `kind` (the type). Raises Unprocessable; types that we do not know are ignored."""
    if not kind:
        raise Unprocessable("type is missing.")
    if kind in PING_TYPES:
        return handshake("A test delivery.")
    if kind not in _TYPES:
        return ignore(f"Events of this type are not needed; we take {', '.join(_TYPES)}.")
    if data is None:
        raise Unprocessable("data is missing.")
    read = shape({"data": data}, _Element).data
    about = _about(read, source, unique_id, timestamp, received_at)
    if kind in TICKET_TYPES:
        return _ticket(read, about)
    return _survey(read, about, options) if kind in SURVEY_TYPES else _withdrawn(read, about)


def _about(read: _Data, source: str, unique_id: str, timestamp: str | None, received_at: datetime) -> Mapping[str, Any]:
    """The fields that responses and tickets share."""
    ticket, who = read.ticket or _Ticket(), read.respondent or _Respondent()
    return {
        "source": source,
        "unique_id": unique_id,
        "received_at": received_at,
        "ticket_id": optional_identifier(ticket.id, "data.ticket.id"),
        "ticket_status": _status(ticket.status),
        "subject": present(ticket.subject),
        "ticket_url": link_of(ticket.url),
        "requester_email": email_of(who.email),
        "requester_name": present(who.name),
        "account_hint": _hint(read.account or _Account()),
        "assignee": assigned(read.assignee, "data.assignee"),
        "occurred_at": from_iso(read.occurred_at, "data.occurred_at") or from_iso(timestamp, "timestamp"),
    }


def _survey(read: _Data, about: Mapping[str, Any], options: Options) -> Translation:
    record_id = identifier(read.id, "data.id")
    score = rating.rate(_scale(read, options), read.score, "data.score")
    if score is None:
        return ignore("The response has no score.")
    return accept(
        SurveyResponded(
            record_id=record_id,
            comment=comment_of(read.comment),
            survey_id=optional_identifier(read.survey_id, "data.survey_id"),
            **rating.fields(score),
            **about,
        )
    )


def _withdrawn(read: _Data, about: Mapping[str, Any]) -> Translation:
    metric = (read.metric or "").strip().lower()
    return accept(
        SurveyResponded(
            record_id=identifier(read.id, "data.id"),
            metric=metric if metric in rating.DEFAULT_SCALES else "none",
            survey_id=optional_identifier(read.survey_id, "data.survey_id"),
            withdrawn=True,
            **about,
        )
    )


def _ticket(read: _Data, about: Mapping[str, Any]) -> Translation:
    """The ticket is `data.ticket`; a `data` that is itself the ticket is understood too."""
    ticket_id = about["ticket_id"] or identifier(read.id, "data.ticket.id")
    own = {
        "ticket_id": ticket_id,
        "ticket_status": about["ticket_status"] or _status(read.status),
        "subject": about["subject"] or present(read.subject),
        "ticket_url": about["ticket_url"] or link_of(read.url),
    }
    return accept(TicketChanged(record_id=ticket_id, **{**about, **own}))


def _scale(read: _Data, options: Options) -> NumberScale:
    """The one sent with the score, else the option's. Raises Unprocessable."""
    metric = (read.metric or "").strip().lower()
    if metric not in rating.DEFAULT_SCALES:
        raise Unprocessable("data.metric must be csat, nps or ces.")
    fractions = metric != "nps"
    if read.scale is None:
        own = scale_of(options, metric, rating.DEFAULT_SCALES[metric])
        return NumberScale(metric, own.minimum, own.maximum, own.reversed, fractions)
    backwards = read.scale.get("reversed", False)
    if not isinstance(backwards, bool):
        raise Unprocessable("data.scale.reversed must be true or false.")
    try:
        low, high = (to_number(read.scale.get(end), f"data.scale.{end}") for end in ("min", "max"))
        return NumberScale(metric, low, high, backwards, fractions)
    except ScoreError as wrong:
        raise Unprocessable(f"{wrong}.") from None


def _status(value: str | None) -> str | None:
    status = (value or "").strip().lower()
    if status and status not in STATUSES:
        raise Unprocessable(f"data.ticket.status must be one of {', '.join(STATUSES)}.")
    return status or None


def _hint(account: _Account) -> dict[str, Any]:
    domain = present(account.domain)
    return known(
        account_id=optional_identifier(account.account_id or account.id, "data.account.id"),
        external_id=optional_identifier(account.external_id, "data.account.external_id"),
        organization_id=optional_identifier(account.organization_id, "data.account.organization_id"),
        organization_external_id=optional_identifier(
            account.organization_external_id, "data.account.organization_external_id"
        ),
        organization_name=present(account.organization_name or account.name),
        domain=domain.lower() if domain else None,
    )
