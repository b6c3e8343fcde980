"""Retently: our template, and feedback as its API names its parts."""

import json
from typing import Any

import pytest

from services.ingest.guides import GUIDES
from services.ingest.sources import BY_NAME
from services.ingest.sources.base import Outcome, Translation, Unprocessable, WebhookRequest
from services.ingest.sources.options import parse_options
from tests.support.ingest import NOW
from tests.support.payloads import sample


def translate(document: Any, **options: Any) -> Translation:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    parsed, _ = parse_options(BY_NAME["retently"], options)
    return BY_NAME["retently"].translate(WebhookRequest("POST", "", {}, body, {}), parsed, NOW)


def feedback(**parts: Any) -> Any:
    document = json.loads(sample("retently", "new_feedback").body)
    document["feedback"] |= parts
    return document


@pytest.mark.parametrize(
    ("metric", "score", "ours", "normalised"),
    [
        ("nps", "0", "nps", 0),
        ("CSAT", 2, "csat", 2),
        ("ces", "7", "ces", 7),
        ("star", 1, "csat", 1),
        (None, 9, "nps", 9),
    ],
)
def test_each_metric_has_its_scale(metric: str | None, score: Any, ours: str, normalised: float) -> None:
    (event,) = translate(feedback(metric=metric, score=score)).events
    assert (event.metric, event.normalised_score) == (ours, normalised)


def test_feedback_as_the_api_names_it_is_read_too() -> None:
    document = {"id": "f1", "score": 3, "comments": "Slow", "email": "ida@fjord.example", "firstName": "Ida",
                "metricsType": "csat", "createdDate": "2026-03-02T10:00:00.000Z", "companyName": "Fjord"}  # fmt: skip
    (event,) = translate(document).events
    assert (event.record_id, event.metric, event.comment, event.requester_name) == ("f1", "csat", "Slow", "Ida")
    assert event.account_hint == {"organization_name": "Fjord", "email_domain": "fjord.example"}


def test_the_same_feedback_with_a_comment_is_another_delivery_of_the_same_record() -> None:
    (bare,), (told,) = translate(feedback(comment="")).events, translate(feedback(comment="Slow")).events
    assert bare.record_id == told.record_id
    assert bare.unique_id != told.unique_id
    assert translate(feedback(comment="Slow")).events[0].unique_id == told.unique_id


@pytest.mark.parametrize("score", [None, "", "null"])
def test_opt_outs_and_bounces_have_no_score(score: Any) -> None:
    assert translate(feedback(score=score)).outcome is Outcome.IGNORE
    assert translate(feedback() | {"event": "opted out"}).outcome is Outcome.IGNORE


@pytest.mark.parametrize("wrong", [{"score": 11}, {"metric": "joy"}, {"id": None}, {"score": [1]}])
def test_what_is_wrong_is_refused(wrong: Any) -> None:
    with pytest.raises(Unprocessable):
        translate(feedback(**wrong))


def test_the_template_unfilled_is_a_test_of_the_webhook() -> None:
    assert translate((GUIDES["retently"].template_text() or "").encode()).outcome is Outcome.HANDSHAKE
