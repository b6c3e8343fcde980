"""AskNicely: NPS (or CSAT, CES) responses, every value a text."""

from datetime import datetime
from typing import Any

import msgspec

from services.ingest.sources import rating, shared_secret
from services.ingest.sources.base import Options, Source, Translation, WebhookRequest, accept, ignore
from services.ingest.sources.reading import (
    Identifier,
    asked_by,
    comment_of,
    from_either,
    identifier,
    parse_json,
    present,
    shape,
    state_of,
)
from shared.events.catalog import SurveyResponded


class _Person(msgspec.Struct):
    name: str | None = None
    email: str | None = None
    segment: str | None = None


class _Question(msgspec.Struct):
    id: Identifier | None = None
    score: Any = None
    comment: str | None = None
    responded: int | float | str | None = None
    segment: str | None = None


class _Body(msgspec.Struct):
    question: _Question
    person: _Person | None = None
    count: Identifier | None = None


def metric(value: Any) -> str:
    if value not in rating.DEFAULT_SCALES:
        raise ValueError("must be csat, nps or ces")
    return str(value)


def translate(request: WebhookRequest, options: Options, received_at: datetime) -> Translation:
    """A changed answer comes again with a higher `count`. asknicely.zendesk.com/hc/en-us/articles/47782734299540"""
    read = shape(parse_json(request.body), _Body)
    question, who = read.question, read.person or _Person()
    score = rating.rate_metric(options.get("metric", "nps"), question.score, options, "question.score")
    if score is None:
        return ignore("The question is not answered.")
    record_id = identifier(question.id, "question.id")
    return accept(
        SurveyResponded(
            source="asknicely",
            unique_id=state_of(record_id, read.count, request.body),
            record_id=record_id,
            received_at=received_at,
            comment=comment_of(question.comment),
            occurred_at=from_either(question.responded, "question.responded"),
            **rating.fields(score),
            **asked_by(who.email, who.name, segment=present(who.segment or question.segment)),
        )
    )


SOURCE = Source(name="asknicely", verify=shared_secret.verify, translate=translate, options={"metric": metric})
