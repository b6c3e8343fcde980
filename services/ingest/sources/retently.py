"""Retently: feedback of a campaign's webhook export, whose body is our template (docs/sources/retently.md)."""

from datetime import datetime
from typing import Any

import msgspec

from services.ingest.sources import rating, shared_secret
from services.ingest.sources.asknicely import metric
from services.ingest.sources.base import (
    Options,
    Source,
    Translation,
    Unprocessable,
    WebhookRequest,
    accept,
    handshake,
    ignore,
)
from services.ingest.sources.reading import (
    Identifier,
    asked_by,
    comment_of,
    digest,
    from_either,
    identifier,
    is_unfilled,
    optional_identifier,
    parse_json,
    present,
    shape,
)
from shared.events.catalog import SurveyResponded

# Retently's stars are five points.
METRICS = {"nps": "nps", "csat": "csat", "ces": "ces", "star": "csat", "5-star": "csat"}


class _Feedback(msgspec.Struct):
    id: Identifier | None = None
    metric: str | None = None
    score: Any = None
    comment: str | None = None
    responded_at: int | float | str | None = None
    campaign_id: Identifier | None = None
    ticket_id: Identifier | None = None


class _Customer(msgspec.Struct):
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    company_id: Identifier | None = None


class _Template(msgspec.Struct):
    event: str | None = None
    feedback: _Feedback | None = None
    customer: _Customer | None = None


class _Listed(msgspec.Struct):
    """Feedback as Retently's API names its parts (https://www.retently.com/api/): taken where it is sent as it is."""

    id: Identifier | None = None
    metricsType: str | None = None
    score: Any = None
    comments: str | None = None
    createdDate: int | float | str | None = None
    campaignId: Identifier | None = None
    email: str | None = None
    firstName: str | None = None
    lastName: str | None = None
    companyName: str | None = None


def translate(request: WebhookRequest, options: Options, received_at: datetime) -> Translation:
    """https://help.retently.com/en/articles/4990922 : there is no id of the delivery; its body is its own."""
    read = _read(parse_json(request.body))
    feedback, customer = read.feedback or _Feedback(), read.customer or _Customer()
    if is_unfilled(feedback.id):
        return handshake("The placeholders are not filled in: a test of the webhook.")
    if read.event and read.event.strip().lower() not in ("feedback", "new feedback"):
        return ignore("Retently events of this kind are not needed; we take new feedback.")
    if read.feedback is None:
        raise Unprocessable("feedback is missing: use the template of `closeloop sources setup retently`.")
    score = rating.rate_metric(_metric(feedback, options), feedback.score, options, "feedback.score")
    if score is None:
        return ignore("The feedback has no score: an opt-out, a bounce, or a survey that is not answered.")
    record_id = identifier(feedback.id, "feedback.id")
    return accept(
        SurveyResponded(
            source="retently",
            unique_id=identifier(f"{record_id[:100]}:{digest(request.body)}", "the delivery id"),
            record_id=record_id,
            received_at=received_at,
            comment=comment_of(feedback.comment),
            ticket_id=optional_identifier(feedback.ticket_id, "feedback.ticket_id"),
            occurred_at=from_either(feedback.responded_at, "feedback.responded_at"),
            survey_id=optional_identifier(feedback.campaign_id, "feedback.campaign_id"),
            **rating.fields(score),
            **asked_by(
                customer.email,
                f"{customer.first_name or ''} {customer.last_name or ''}",
                organization_name=present(customer.company),
                external_id=optional_identifier(customer.company_id, "customer.company_id"),
            ),
        )
    )


def _read(document: Any) -> _Template:
    if isinstance(document, dict) and "feedback" not in document and "score" in document:
        listed = shape(document, _Listed)
        return _Template(
            feedback=_Feedback(
                id=listed.id,
                metric=listed.metricsType,
                score=listed.score,
                comment=listed.comments,
                responded_at=listed.createdDate,
                campaign_id=listed.campaignId,
            ),
            customer=_Customer(listed.email, listed.firstName, listed.lastName, listed.companyName),
        )
    return shape(document, _Template)


def _metric(feedback: _Feedback, options: Options) -> str:
    word = (feedback.metric or "").strip().lower()
    found = METRICS.get(word) if word else options.get("metric", "nps")
    if found is None:
        raise Unprocessable("feedback.metric is not one of Retently's: nps, csat, ces, star.")
    return str(found)


SOURCE = Source(name="retently", verify=shared_secret.verify, translate=translate, options={"metric": metric})
