"""What holds for every source: withdrawn is not 0, no answer is no score, a change is no repetition."""

import json
from datetime import timedelta
from typing import Any

import pytest

from services.ingest.publishing import by_event_id
from services.ingest.sources import BY_NAME
from services.ingest.sources.base import Outcome, Translation, Unprocessable, WebhookRequest
from services.ingest.sources.options import parse_options
from tests.support.ingest import NOW, running_ingest, secret_of
from tests.support.payloads import Sample, sample
from tests.support.signing import sign


def body_of(source: str, file: str, **changes: Any) -> Any:
    """The document of a sample; `a__b=1` changes it at `a.b`, `a__0__b` within a list."""
    document = json.loads(sample(source, file).body)
    for path, value in changes.items():
        place, steps = document, [int(step) if step.isdigit() else step for step in path.split("__")]
        for step in steps[:-1]:
            place = place[step]
        if value is DROP:
            place.pop(steps[-1], None)
        else:
            place[steps[-1]] = value
    return document


DROP = object()


def translate(found: Sample, document: Any, **options: Any) -> Translation:
    source = BY_NAME[found.source]
    parsed, _ = parse_options(source, {**found.options, **options})
    return source.translate(WebhookRequest("POST", "", found.headers, json.dumps(document).encode(), {}), parsed, NOW)


def our_json(kind: str, **data: Any) -> Any:
    return {"type": kind, "timestamp": "2026-03-02T11:00:00Z", "data": {"id": "r1", **data}}


WITHDRAWN = [
    ("zendesk", "ticket_csat", {"event__satisfaction_score": {"score": "Deleted"}}, "csat:"),
    ("zendesk", "trigger_csat", {"event": "csat.withdrawn"}, "csat:"),
    ("zendesk", "trigger_csat", {"satisfaction__rating": "Removed by the customer"}, "csat:"),
    ("surveymonkey", "response", {"event_type": "response_deleted"}, ""),
    ("hubspot", "ticket_property", {"0__subscriptionType": "object.deletion", "0__objectTypeId": "0-19"}, ""),
    ("hubspot", "ticket_property", {"0__subscriptionType": "object.privacyDeletion", "0__objectTypeId": "0-19"}, ""),
    ("jira", "issue_updated_sat", {"issue__fields__customfield_10105": None, "changelog__items__0__fromString": "4"},
     "csat:"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "file", "changes", "prefix"), WITHDRAWN, ids=lambda value: str(value)[:40])
def test_a_deleted_or_withdrawn_rating_withdraws_and_never_becomes_0(
    source: str, file: str, changes: dict[str, Any], prefix: str
) -> None:
    events = translate(sample(source, file), body_of(source, file, **changes)).events
    event = next(one for one in events if one.TYPE == "closeloop.survey.responded")
    assert (event.withdrawn, event.raw_score, event.normalised_score) == (True, None, None)
    assert event.record_id.startswith(prefix)
    ((_, record),) = by_event_id([event], {source: lambda _: True}).values()
    assert record.topic == "feedback.received"


@pytest.mark.parametrize("kind", ["survey.response.withdrawn", "survey.response.deleted"])
def test_our_own_json_can_withdraw(kind: str) -> None:
    found = sample("standard", "standard")
    (event,) = translate(found, our_json(kind, metric="nps")).events
    assert (event.withdrawn, event.record_id, event.metric, event.normalised_score) == (True, "r1", "nps", None)
    assert translate(found, our_json(kind)).events[0].metric == "none"


def test_the_policy_can_say_which_words_withdraw() -> None:
    found = sample("zendesk", "trigger_csat")
    document = body_of("zendesk", "trigger_csat", satisfaction__rating="Zurückgezogen")
    (event,) = translate(found, document, rating_text_map={"zurückgezogen": "withdrawn"}).events
    assert event.withdrawn


UNANSWERED = [
    ("zendesk", "ticket_csat", "event__satisfaction_score", [{"score": "OFFERED"}, {"score": "unoffered"}, None, {}]),
    ("zendesk", "trigger_csat", "satisfaction__rating", ["Offered", "", "null", None, "Not rated"]),
    ("intercom", "conversation_rating", "data__item__conversation_rating", [{}, None, {"rating": None}]),
    ("freshdesk", "satisfaction", "ratings__default_question", [None, "", "null"]),
    ("helpscout", "satisfaction", "rating", [None, "", "null"]),
    ("hubspot", "feedback", "properties__hs_value", [None, "", "null"]),
    ("delighted", "survey_response", "event_data__score", [None, ""]),
    ("asknicely", "response", "question__score", [None, "", "null"]),
    ("retently", "new_feedback", "feedback__score", [None, ""]),
    ("chatwoot", "message_updated", "content_attributes__submitted_values", [None, {}]),
    ("jira", "issue_updated_sat", "issue__fields__customfield_10105", [None, {"rating": None}]),
    ("typeform", "form_response", "form_response__answers", [None, []]),
    ("formbricks", "response_finished", "data__data", [None, {}]),
    ("standard", "standard", "data__score", [None, ""]),
    ("mapped", "smiley", "answer__value", [None, "", "keine Angabe"]),
]


@pytest.mark.parametrize(("source", "file", "path", "values"), UNANSWERED, ids=lambda value: str(value)[:30])
def test_offered_unanswered_empty_and_null_are_no_scores(source: str, file: str, path: str, values: list[Any]) -> None:
    for value in values:
        translation = translate(sample(source, file), body_of(source, file, **{path: value}))
        assert not [one for one in translation.events if one.TYPE == "closeloop.survey.responded"]
        assert translation.outcome is Outcome.IGNORE or translation.events
        assert translation.reason or translation.events


ZEROES = [
    ("delighted", "survey_response", "event_data__score"),
    ("asknicely", "response", "question__score"),
    ("retently", "new_feedback", "feedback__score"),
    ("hubspot", "feedback", "properties__hs_value"),
]


@pytest.mark.parametrize(("source", "file", "path"), ZEROES)
@pytest.mark.parametrize("zero", [0, "0"])
def test_0_is_a_score(source: str, file: str, path: str, zero: Any) -> None:
    (event,) = translate(sample(source, file), body_of(source, file, **{path: zero})).events
    assert (event.raw_score, event.withdrawn) == (zero, False)
    assert event.normalised_score == {"nps": 0, "csat": 1}[event.metric]


EMPTY_LISTS = [
    ("intercom", "conversation_rating", "data__item__contacts__contacts"),
    ("intercom", "conversation_admin", "data__item__conversation_parts__conversation_parts"),
    ("intercom", "replied_to_ticket", "data__item__ticket__ticket_parts__ticket_parts"),
    ("helpscout", "message_survey", "_embedded__customer___embedded__emails"),
    ("helpscout", "convo_status", "_embedded__threads"),
    ("helpscout", "convo_status", "_links__web"),
]


@pytest.mark.parametrize(("source", "file", "path"), EMPTY_LISTS)
def test_a_null_where_a_list_or_a_link_might_be_costs_nobody_the_event(source: str, file: str, path: str) -> None:
    found = sample(source, file)
    assert len(translate(found, body_of(source, file, **{path: None})).events) == len(found.expected)


def test_the_comment_is_the_first_question_that_was_answered() -> None:
    document = body_of("formbricks", "response_finished", data__data={"q": 1, "why": " ", "more": "Too slow"})
    questions = {"q": {"metric": "csat"}, "why": {"role": "comment"}, "more": {"role": "comment"}}
    (event,) = translate(sample("formbricks", "response_finished"), document, questions=questions).events
    assert event.comment == "Too slow"


@pytest.mark.parametrize(
    ("source", "file", "path"),
    [
        ("delighted", "survey_response", "event_data__survey_type"),
        ("hubspot", "feedback", "properties__hs_survey_type"),
        ("standard", "standard", "data__metric"),
    ],
)
@pytest.mark.parametrize("value", [None, "", DROP], ids=["null", "empty", "missing"])
def test_a_score_of_no_metric_is_refused_and_so_kept(source: str, file: str, path: str, value: Any) -> None:
    with pytest.raises(Unprocessable, match=path.replace("__", ".")):
        translate(sample(source, file), body_of(source, file, **{path: value}))


LABELS = [
    ("helpscout", "message_survey", {"response__value": "2", "response__category": "promoter"}, 2),
    ("hubspot", "feedback", {"properties__hs_value": "0", "properties__hs_response_group": "PROMOTER"}, 1),
]


@pytest.mark.parametrize(("source", "file", "changes", "normalised"), LABELS, ids=str)
def test_a_vendors_label_is_not_trusted(source: str, file: str, changes: dict[str, Any], normalised: float) -> None:
    (event,) = translate(sample(source, file), body_of(source, file, **changes)).events
    assert event.normalised_score == normalised


STAMPS = [
    ("gorgias", "ticket_updated", "ticket__updated_datetime", "ticket__subject"),
    ("gorgias", "ticket_updated", "ticket__satisfaction_survey__scored_datetime", "ticket__satisfaction_survey__score"),
    ("helpscout", "satisfaction", "modifiedAt", "comments"),
    ("helpscout", "convo", "userUpdatedAt", "subject"),
    ("helpscout", "message_survey", "response__timestamp", "response__comment"),
    ("freshdesk", "satisfaction", "updated_at", "feedback"),
    ("asknicely", "response", "count", "question__comment"),
    ("hubspot", "feedback", "updatedAt", "properties__hs_content"),
]


@pytest.mark.parametrize(("source", "file", "stamp", "part"), STAMPS, ids=lambda value: str(value)[:30])
def test_without_its_stamp_a_changed_record_is_still_another_delivery(
    source: str, file: str, stamp: str, part: str
) -> None:
    missing = {stamp: DROP, "createdAt": DROP, "created_at": DROP}
    which = -1 if "survey" in stamp else 0
    before, after = (
        translate(sample(source, file), body_of(source, file, **missing, **{part: value})).events[which]
        for value in ("1", "2")
    )
    assert before.record_id == after.record_id
    assert before.unique_id != after.unique_id


async def test_a_freshdesk_ticket_resolved_reopened_and_resolved_again_is_three_events() -> None:
    resolved = sample("freshdesk", "status").body
    reopened = resolved.replace(b"Resolved", b"Open")
    assert reopened != resolved
    async with running_ingest("freshdesk") as ingest:

        async def deliver(body: bytes) -> str:
            headers = sign("freshdesk", body, secret_of("freshdesk"), ingest.clock.now())
            answer = await ingest.http.post("/v1/webhooks/freshdesk", content=body, headers=headers)
            assert answer.status_code == 202
            (event_id,) = answer.json()["ids"]
            return str(event_id)

        first, repeated = await deliver(resolved), await deliver(resolved)
        assert first == repeated
        ingest.clock.advance(timedelta(minutes=6))
        second = await deliver(reopened)
        ingest.clock.advance(timedelta(minutes=6))
        assert len({first, second, await deliver(resolved)}) == 3


def test_a_time_in_freshdesks_template_makes_the_window_needless() -> None:
    document = body_of("freshdesk", "status", freshdesk_webhook__updated_at="2026-03-02T11:00:00Z")
    (event,) = translate(sample("freshdesk", "status"), document).events
    assert event.window is None


def test_a_deleted_intercom_conversation_is_a_deleted_ticket() -> None:
    document = body_of("intercom", "conversation_admin", topic="conversation.deleted")
    for item in ({"type": "conversation", "id": "987654321098765"}, {"conversation_id": 987654321098765}):
        document["data"]["item"] = item
        (event,) = translate(sample("intercom", "conversation_admin"), document).events
        assert (event.ticket_status, event.record_id) == ("deleted", "987654321098765")
        assert event.occurred_at


def test_an_intercom_ticket_without_its_number_is_known_by_its_id() -> None:
    nested = body_of("intercom", "ticket_closed", data__item__ticket__ticket_id=None)
    (event,) = translate(sample("intercom", "ticket_closed"), nested).events
    assert event.ticket_id == event.record_id


def test_a_deleted_helpscout_conversation_is_a_deleted_ticket() -> None:
    found = sample("helpscout", "convo")
    request = WebhookRequest("POST", "", {"x-helpscout-event": "convo.deleted"}, b'{"id": 291938}', {})
    (event,) = BY_NAME[found.source].translate(request, {}, NOW).events
    assert (event.ticket_status, event.record_id) == ("deleted", "291938")


@pytest.mark.parametrize("big", [2**53 + 1, 9_007_199_254_740_993_123, "18446744073709551616"])
def test_big_ids_are_kept_to_the_last_digit(big: Any) -> None:
    (rated,) = translate(sample("zendesk", "ticket_csat"), body_of("zendesk", "ticket_csat", detail__id=big)).events
    assert (rated.ticket_id, rated.record_id) == (str(big), f"csat:{big}")
    path = {"data__item__id": big}
    (rated,) = translate(
        sample("intercom", "conversation_rating"), body_of("intercom", "conversation_rating", **path)
    ).events
    assert rated.record_id == str(big)
