"""Every vendor's API as we call it, against doubles over real HTTP: one response fetched, and a window listed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.ingest.vendors import VENDORS
from services.ingest.vendors.base import Gone, RateLimited, Refused, VendorUnavailable, Window
from services.ingest.vendors.client import Client, Gate, retry_after
from services.ingest.vendors.opening import OpenVendor, open_vendors
from shared.clock import Clock, ManualClock, SystemClock
from shared.errors import ConfigurationError, PoisonError
from shared.events.catalog import SurveyResponded, TicketChanged
from shared.policy import Policy
from shared.settings import Settings
from tests.support.vendors import Fault, VendorDouble, epoch

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
GIVEN = NOW - timedelta(hours=1)
ISO = "2026-03-02T11:00:00Z"
WINDOW = Window(NOW - timedelta(hours=24), NOW)
SATISFACTION = {"sub_type": "customer_satisfaction", "type": "rating_scale_numeric"}
WORDS = {"Very good": 5, "Poor": 1}
QUESTIONS = {"q1": {"metric": "csat", "min": 1, "max": 5}, "q2": {"role": "comment"}}
Open = Callable[..., Awaitable[tuple[VendorDouble, Client, OpenVendor]]]


def zendesk_ticket(number: int) -> dict[str, Any]:
    return {
        "ticket": {"id": number, "subject": f"Ticket {number}", "requester_id": 7, "organization_id": 55},
        "users": [{"id": 7, "name": "Dora", "email": "dora@acme.example"}],
        "organizations": [{"id": 55, "name": "Acme", "external_id": "crm-1"}],
    }


def surveymonkey_response(number: int, score: str = "2") -> dict[str, Any]:
    answers = [
        {"id": "q1", "answers": [{"choice_id": "c", "choice_metadata": {"weight": score}}]},
        {"id": "q2", "answers": [{"text": "Too slow"}]},
    ]
    return {
        "id": str(number),
        "survey_id": "123456789",
        "collector_id": "111222333",
        "date_modified": "2026-03-02T11:00:00+00:00",
        "response_status": "completed",
        "metadata": {"contact": {"email": {"value": "dora@acme.example"}, "first_name": {"value": "Dora"}}},
        "pages": [{"id": "p", "questions": answers}],
    }


# How each vendor lists one response, and what its record key must be: the one of its webhook.
LISTED: dict[str, tuple[Callable[[int], dict[str, Any]], Callable[[int], str]]] = {
    "zendesk": (
        lambda n: {"id": 900 + n, "ticket_id": n, "score": "bad", "comment": "Too slow", "updated_at": ISO},
        lambda n: f"csat:{n}",
    ),
    "freshdesk": (
        lambda n: {
            "id": n,
            "ticket_id": 4000 + n,
            "feedback": "Too slow",
            "ratings": {"default_question": -103},
            "created_at": ISO,
            "updated_at": ISO,
        },
        str,
    ),
    "intercom": (
        lambda n: {
            "type": "conversation",
            "id": str(n),
            "source": {"author": {"type": "user", "name": "Dora", "email": "dora@acme.example"}},
            "conversation_rating": {"rating": 1, "remark": "Too slow", "created_at": epoch(GIVEN)},
        },
        str,
    ),
    "helpscout": (
        lambda n: {
            "id": n,
            "threadid": 70 + n,
            "ratingId": 3,
            "ratingCustomerId": 7,
            "ratingCustomerName": "Dora Ek",
            "ratingComments": "Too slow",
            "ratingCreatedAt": ISO,
        },
        lambda n: f"report:{n}:{70 + n}",
    ),
    "delighted": (
        lambda n: {
            "id": str(n),
            "survey_type": "csat",
            "score": 1,
            "comment": "Too slow",
            "person": {"email": "dora@acme.example", "name": "Dora"},
            "created_at": epoch(GIVEN),
            "updated_at": epoch(GIVEN),
        },
        str,
    ),
    "surveymonkey": (lambda n: surveymonkey_response(n, "1"), str),
    "hubspot": (
        lambda n: {
            "id": str(n),
            "properties": {
                "hs_survey_type": "CSAT",
                "hs_value": "0",
                "hs_content": "Too slow",
                "hs_submission_timestamp": ISO,
                "hs_contact_id": "7",
            },
            "updatedAt": ISO,
        },
        str,
    ),
}
OBJECTS: dict[str, dict[str, Any]] = {
    "zendesk": {f"/api/v2/tickets/{n}.json": zendesk_ticket(n) for n in range(1, 10)},
    "freshdesk": {
        f"/api/v2/tickets/{4000 + n}": {"subject": "T", "requester": {"email": "dora@acme.example", "name": "Dora"}}
        for n in range(1, 10)
    },
    "helpscout": {"/v2/customers/7/emails": {"_embedded": {"emails": [{"id": 1, "value": "dora@acme.example"}]}}},
    "hubspot": {
        "/crm/v3/objects/contacts/7": {
            "id": "7",
            "properties": {"email": "dora@acme.example", "firstname": "Dora", "associatedcompanyid": "55"},
        }
    },
}
each_lister = pytest.mark.parametrize("name", sorted(LISTED))


@pytest.fixture
async def opened() -> AsyncIterator[Open]:
    """A double running, and a client of it."""
    doubles: list[Any] = []

    async def open_(
        name: str, clock: Clock | None = None, patience: timedelta = timedelta(0), **options: Any
    ) -> tuple[VendorDouble, Client, OpenVendor]:
        double = VendorDouble(name, objects=dict(OBJECTS.get(name, {})))
        if name == "helpscout":
            double.token = "app:secret"
        running = double.running()
        await running.__aenter__()
        settings = Settings(_env_file=None, sources={name: {"api_token": double.token}})
        policy = Policy(sources={name: {"api_url": double.url, **options}})
        vendor = open_vendors(settings, policy, clock or SystemClock())[name]
        vendor.gate.spacing = timedelta(0)
        client = vendor.client(patience)
        doubles.append((running, client))
        return double, client, vendor

    yield open_
    for running, client in doubles:
        await client.close()
        await running.__aexit__(None, None, None)


async def listing(client: Client, vendor: OpenVendor) -> list[SurveyResponded]:
    assert vendor.vendor.list_since is not None
    return [event async for event in vendor.vendor.list_since(client, WINDOW, vendor.options, NOW)]


def options_of(name: str) -> dict[str, Any]:
    return {"questions": QUESTIONS} if name == "surveymonkey" else {}


@each_lister
async def test_a_window_is_listed_over_all_pages_under_the_record_keys_of_the_webhook(opened: Open, name: str) -> None:
    double, client, vendor = await opened(name, **options_of(name))
    make, key = LISTED[name]
    double.listed = [make(n) for n in (1, 2, 3, 4, 5)]
    found = await listing(client, vendor)
    assert [event.record_id for event in found] == [key(n) for n in (1, 2, 3, 4, 5)]
    assert {event.normalised_score for event in found} == {1}
    assert {event.comment for event in found} == {"Too slow"}
    assert {event.requester_email for event in found} == {"dora@acme.example"}
    assert {event.occurred_at for event in found} == {GIVEN}
    assert {event.detected_by for event in found} == {"reconciler"}
    assert {event.source for event in found} == {name}


@each_lister
async def test_listed_again_a_response_has_the_same_delivery_key_until_it_changes(opened: Open, name: str) -> None:
    double, client, vendor = await opened(name, **options_of(name))
    make, _ = LISTED[name]
    double.listed = [make(1)]
    first, again = await listing(client, vendor), await listing(client, vendor)
    assert [event.unique_id for event in first] == [event.unique_id for event in again]
    assert len(first[0].unique_id) <= 500


@each_lister
async def test_what_changes_between_pages_hides_at_most_what_the_next_round_finds(opened: Open, name: str) -> None:
    double, client, vendor = await opened(name, **options_of(name))
    make, key = LISTED[name]
    double.listed = [make(n) for n in (1, 2, 3, 4, 5)]

    def one_goes() -> None:
        double.listed = [one for one in double.listed if one != make(1)]

    double.between = one_goes
    first, second = await listing(client, vendor), await listing(client, vendor)
    assert {event.record_id for event in (*first, *second)} >= {key(n) for n in (2, 3, 4)}


@each_lister
async def test_one_odd_object_holds_up_nobody(opened: Open, name: str) -> None:
    double, client, vendor = await opened(name, **options_of(name))
    make, key = LISTED[name]
    odd = {"id": "x", "survey_type": "nps", "score": "eleven", "conversation_rating": {"rating": 99}}
    double.listed = [make(1), odd] if name not in ("surveymonkey",) else [make(1), {"id": "x"}]
    assert [event.record_id for event in await listing(client, vendor)] == [key(1)]


@each_lister
async def test_a_rate_limit_is_waited_out_by_a_patient_client(opened: Open, name: str) -> None:
    double, client, vendor = await opened(name, patience=timedelta(seconds=5), **options_of(name))
    make, _ = LISTED[name]
    double.listed = [make(1)]
    double.faults = [Fault(429, retry_after="0.05")]
    assert len(await listing(client, vendor)) == 1


@each_lister
async def test_an_outage_is_told_from_a_refusal(opened: Open, name: str) -> None:
    double, client, vendor = await opened(name, **options_of(name))
    double.listed = [LISTED[name][0](1)]
    double.faults = [Fault(500)]
    with pytest.raises(VendorUnavailable, match=f"{name} answers 500"):
        await listing(client, vendor)
    double.faults = [Fault(401)] * 5
    with pytest.raises(Refused, match="API_TOKEN"):
        await listing(client, vendor)


async def test_an_impatient_client_fails_at_once_and_calls_nobody_before_retry_after(opened: Open) -> None:
    double, client, _ = await opened("delighted")
    double.faults = [Fault(429, retry_after="30")]
    with pytest.raises(RateLimited) as limited:
        await client.get("/v1/survey_responses.json", {"page": 1})
    assert limited.value.seconds == 30
    with pytest.raises(RateLimited):
        await client.get("/v1/survey_responses.json", {"page": 1})
    assert len(double.calls) == 1


async def test_calls_keep_the_vendors_pace(opened: Open) -> None:
    double, client, vendor = await opened("delighted")
    vendor.gate.spacing = timedelta(milliseconds=60)
    began = asyncio.get_running_loop().time()
    await asyncio.gather(*(client.get("/v1/survey_responses.json", {"page": 1}) for _ in range(4)))
    assert asyncio.get_running_loop().time() - began >= 0.17
    assert len(double.calls) == 4


async def test_a_listing_that_never_ends_is_ended(opened: Open) -> None:
    double, _, vendor = await opened("zendesk")
    double.listed = [LISTED["zendesk"][0](1)] * 1000
    client = vendor.client(most_calls=10)
    with pytest.raises(VendorUnavailable, match="without end"):
        await listing(client, vendor)
    await client.close()


async def test_a_vendor_that_does_not_answer_is_given_up(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.ingest.vendors.client.TIMEOUT_SECONDS", 0.1)
    double, client, _ = await opened("delighted")
    hang = asyncio.Event()
    double.faults = [Fault(hang=hang)]
    with pytest.raises(VendorUnavailable, match="Timeout"):
        await client.get("/v1/survey_responses.json", {"page": 1})
    hang.set()


async def test_credentials_go_to_nobody_else(opened: Open) -> None:
    _, client, _ = await opened("zendesk")
    with pytest.raises(Refused, match="another host"):
        await client.get("https://evil.example/api/v2/tickets.json")


async def test_help_scout_signs_in_once_and_again_when_its_token_has_expired(opened: Open) -> None:
    double, client, vendor = await opened("helpscout")
    double.listed = [LISTED["helpscout"][0](1)]
    await listing(client, vendor)
    assert double.count("oauth2") == 1
    assert double.credentials[1:] == ["Bearer fresh", "Bearer fresh"]
    double.faults = [Fault(401)]
    await listing(client, vendor)
    assert double.count("oauth2") == 2


async def test_zendesk_prefers_its_new_survey_over_the_rating_it_repeats_it_as(opened: Open) -> None:
    double, client, vendor = await opened("zendesk")
    double.listed = [LISTED["zendesk"][0](1), LISTED["zendesk"][0](2)]
    double.objects["surveys"] = [
        {
            "id": "01J",
            "survey_id": "S1",
            "subject_zrns": ["zen:ticket:1"],
            "answers": [
                {"type": "rating_scale", "rating": 5, "updated_at": ISO, "question": {"sub_type": "other"}},
                {"type": "rating_scale", "rating": 2, "updated_at": ISO, "question": SATISFACTION},
                {"type": "open_ended", "value": "Slow but kind"},
            ],
        },
        {"id": "01K", "subject_zrns": ["zen:ticket:9"], "answers": [{"type": "skipped"}]},
        {
            "id": "01L",
            "survey": {"id": "S1"},
            "subject_zrns": ["zrn:conversation:4295", "zrn:ticket:3"],
            "answers": [{"type": "rating_scale", "rating": 1, "rating_category": "bad", "updated_at": ISO}],
        },
    ]
    found = await listing(client, vendor)
    scores = [(event.record_id, event.normalised_score) for event in found]
    assert scores == [("csat:1", 2), ("csat:3", 1), ("csat:2", 1)]
    assert found[0].comment == "Slow but kind"


async def test_a_plan_without_the_new_survey_still_has_its_ratings(opened: Open) -> None:
    double, client, vendor = await opened("zendesk")
    double.listed = [LISTED["zendesk"][0](1)]
    double.faults = [Fault(403)]
    assert [event.record_id for event in await listing(client, vendor)] == ["csat:1"]


def thin(source: str, record_id: str, **facts: Any) -> SurveyResponded:
    return SurveyResponded(source=source, unique_id="d1", record_id=record_id, received_at=NOW, **facts)


async def enriched(client: Client, vendor: OpenVendor, event: SurveyResponded) -> SurveyResponded:
    assert vendor.vendor.needs(event)
    assert vendor.vendor.enrich is not None
    return await vendor.vendor.enrich(client, event, vendor.options)


async def test_surveymonkey_brings_score_comment_and_contact(opened: Open) -> None:
    double, client, vendor = await opened("surveymonkey", questions=QUESTIONS)
    double.objects["/v3/surveys/123456789/responses/987/details"] = surveymonkey_response(987)
    event = await enriched(client, vendor, thin("surveymonkey", "987", survey_id="123456789"))
    assert (event.metric, event.normalised_score, event.comment) == ("csat", 2, "Too slow")
    assert (event.requester_email, event.requester_name) == ("dora@acme.example", "Dora")
    assert (event.unique_id, event.record_id) == ("d1", "987")


async def test_surveymonkey_without_a_declared_question_stays_unscored(opened: Open) -> None:
    double, client, vendor = await opened("surveymonkey")
    double.objects["/v3/surveys/1/responses/987/details"] = surveymonkey_response(987)
    event = await enriched(client, vendor, thin("surveymonkey", "987", survey_id="1"))
    assert (event.metric, event.normalised_score) == ("none", None)


@pytest.mark.parametrize(
    ("choice", "declared", "metric", "score"),
    [
        # SurveyMonkey's own NPS: the weight says promoter or detractor, the label says how much.
        ({"choice_metadata": {"weight": "-100"}, "simple_text": "3"}, None, "nps", 3),
        ({"choice_metadata": {"weight": "0"}, "simple_text": "8"}, None, "nps", 8),
        ({"choice_metadata": {"weight": -100}, "simple_text": "Not at all likely - 0"}, None, "nps", 0),
        ({"choice_metadata": {"weight": 100}, "simple_text": "10 - Extremely likely"}, {"metric": "nps"}, "nps", 10),
        ({"choice_metadata": {"weight": 2}, "simple_text": "2 of 5 stars"}, QUESTIONS["q1"], "csat", 2),
        ({"choice_metadata": {"weight": "1"}, "simple_text": "Very satisfied"}, QUESTIONS["q1"], "csat", 1),
        ({"choice_id": "9", "simple_text": "4 stars"}, QUESTIONS["q1"], "csat", 4),
        ({"choice_metadata": {"weight": 0}, "simple_text": "No"}, {"metric": "csat", "min": 0, "max": 1}, "csat", 1),
        ({"choice_metadata": {"weight": 2}, "simple_text": "Poor"}, {"metric": "csat", "words": WORDS}, "csat", 1),
        ({"choice_id": "9", "is_na": True, "simple_text": "N/A"}, QUESTIONS["q1"], "none", None),
    ],
)
async def test_surveymonkeys_choices_are_read_by_weight_and_nps_by_label(
    opened: Open, choice: dict[str, Any], declared: Any, metric: str, score: float | None
) -> None:
    options = {"questions": {"q1": declared}} if declared else {}
    double, client, vendor = await opened("surveymonkey", **options)
    response = surveymonkey_response(987)
    response["pages"][0]["questions"] = [
        {"id": "q1", "family": "matrix", "subtype": "nps", "answers": [{"choice_id": "c", "row_id": "r", **choice}]}
    ]
    double.objects["/v3/surveys/1/responses/987/details"] = response
    event = await enriched(client, vendor, thin("surveymonkey", "987", survey_id="1"))
    assert (event.metric, event.normalised_score) == (metric, score)


@pytest.mark.parametrize(
    ("declared", "answers", "metric", "score"),
    [
        (QUESTIONS["q1"], [{"choice_id": "c1", "row_id": "r"}], "csat", 1),
        (QUESTIONS["q1"], [{"choice_id": "c2", "row_id": "r"}, {"other_id": "o", "text": "5 days"}], "csat", 2),
        ({"metric": "nps"}, [{"choice_id": "n3", "row_id": "r"}], "nps", 3),
        ({"metric": "csat", "words": WORDS}, [{"choice_id": "c1"}], "csat", 1),
        ({"metric": "csat", "min": 0, "max": 100}, [{"text": "25"}], "csat", 2),
        (QUESTIONS["q1"], [{"choice_id": "unknown"}], "none", None),
    ],
)
async def test_surveymonkeys_choices_by_id_alone_are_looked_up_in_the_survey_once(
    opened: Open, declared: Any, answers: list[dict[str, Any]], metric: str, score: float | None
) -> None:
    double, client, vendor = await opened("surveymonkey", questions={"q1": declared})
    response = {"id": "987", "survey_id": "1", "pages": [{"id": "p", "questions": [{"id": "q1", "answers": answers}]}]}
    choices = [
        {"id": "c1", "text": "Poor", "weight": 1, "position": 1},
        {"id": "c2", "text": "Fair", "weight": 2, "position": 2},
        {"id": "n3", "text": "3", "weight": -100, "position": 4},
    ]
    details = {"id": "1", "pages": [{"id": "p", "questions": [{"id": "q1", "answers": {"choices": choices}}]}]}
    double.objects |= {"/v3/surveys/1/responses/987/details": response, "/v3/surveys/1/details": details}
    for _ in range(2):
        event = await enriched(client, vendor, thin("surveymonkey", "987", survey_id="1"))
        assert (event.metric, event.normalised_score) == (metric, score)
    asked = 0 if "text" in answers[0] else 2 if answers[0]["choice_id"] == "unknown" else 1
    assert double.count("/v3/surveys/1/details") == asked


async def test_a_score_outside_its_scale_is_no_score(opened: Open) -> None:
    double, client, vendor = await opened("surveymonkey", questions=QUESTIONS)
    double.objects["/v3/surveys/1/responses/987/details"] = surveymonkey_response(987, "9")
    with pytest.raises(PoisonError, match="q1"):
        await enriched(client, vendor, thin("surveymonkey", "987", survey_id="1"))


async def test_qualtrics_finds_its_own_nps(opened: Open) -> None:
    double, client, vendor = await opened("qualtrics")
    values = {"QID1": 3, "QID1_NPS_GROUP": 1, "QID2_TEXT": "Too slow", "recipientEmail": "dora@acme.example"}
    double.objects["/API/v3/surveys/SV_1/responses/R_1"] = {"result": {"values": {**values, "recordedDate": ISO}}}
    event = await enriched(client, vendor, thin("qualtrics", "R_1", account_hint={"survey_id": "SV_1"}))
    assert (event.metric, event.normalised_score, event.comment) == ("nps", 3, "Too slow")
    assert (event.occurred_at, event.requester_email) == (GIVEN, "dora@acme.example")
    assert double.credentials == ["the-token"]


async def test_hubspot_brings_submission_contact_and_company(opened: Open) -> None:
    double, client, vendor = await opened("hubspot")
    double.objects["/crm/v3/objects/feedback_submissions/5310042"] = LISTED["hubspot"][0](5310042)
    event = await enriched(client, vendor, thin("hubspot", "5310042", account_hint={"vendor_account_id": "33"}))
    assert (event.metric, event.normalised_score, event.record_id) == ("csat", 1, "5310042")
    assert (event.unique_id, event.requester_email) == ("d1", "dora@acme.example")
    assert event.account_hint["organization_id"] == "55"
    assert event.account_hint["vendor_account_id"] == "33"


def ended(source: str, ticket_id: str, **facts: Any) -> TicketChanged:
    known = {"record_id": ticket_id, "ticket_id": ticket_id, "ticket_status": "closed", **facts}
    return TicketChanged(source=source, unique_id="d1", received_at=NOW, **known)


HUBSPOT_TICKET = {
    "id": "912",
    "properties": {"subject": "Invoice", "hs_object_id": "912"},
    "associations": {"contacts": {"results": [{"id": "7", "type": "ticket_to_contact"}]}},
}
TICKETS = {
    "zendesk": (ended("zendesk", "3"), {}, "Ticket 3"),
    "hubspot": (ended("hubspot", "912"), {"/crm/v3/objects/tickets/912": HUBSPOT_TICKET}, "Invoice"),
    "jira": (
        ended("jira", "SUP-812", record_id="20431", subject="Printer"),
        {"/rest/servicedeskapi/request/SUP-812": {"reporter": {"emailAddress": "dora@acme.example"}}},
        "Printer",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(TICKETS))
async def test_whose_a_ticket_is_that_ended_is_asked(opened: Open, name: str) -> None:
    thin_ticket, objects, subject = TICKETS[name]
    double, client, vendor = await opened(name)
    double.objects |= objects
    assert vendor.vendor.enrich_ticket is not None
    assert vendor.vendor.is_asked_about(thin_ticket)
    found = await vendor.vendor.enrich_ticket(client, thin_ticket, vendor.options)
    assert (found.requester_email, found.subject) == ("dora@acme.example", subject)
    assert (found.unique_id, found.ticket_status) == ("d1", "closed")
    assert not vendor.vendor.is_asked_about(found)
    assert not vendor.vendor.is_asked_about(ended(name, "4", ticket_status="open"))
    assert not vendor.vendor.is_asked_about(ended(name, "4", ticket_status=None, replied_at=NOW))


async def test_a_hubspot_ticket_without_a_contact_goes_on_as_it_is(opened: Open) -> None:
    double, client, vendor = await opened("hubspot")
    double.objects["/crm/v3/objects/tickets/912"] = {"id": "912", "properties": {"subject": None}}
    assert vendor.vendor.enrich_ticket is not None
    assert await vendor.vendor.enrich_ticket(client, ended("hubspot", "912"), {}) == ended("hubspot", "912")


async def test_zendesk_brings_the_requester_and_the_organisation(opened: Open) -> None:
    _, client, vendor = await opened("zendesk")
    event = await enriched(client, vendor, thin("zendesk", "csat:3", ticket_id="3", metric="csat", normalised_score=1))
    assert (event.requester_email, event.requester_name, event.subject) == ("dora@acme.example", "Dora", "Ticket 3")
    assert event.account_hint["organization_external_id"] == "crm-1"
    assert event.normalised_score == 1


async def test_jira_brings_the_comment(opened: Open) -> None:
    double, client, vendor = await opened("jira")
    double.objects["/rest/servicedeskapi/request/SUP-812/feedback"] = {"rating": 2, "comment": {"body": "Too slow"}}
    event = await enriched(client, vendor, thin("jira", "csat:20431", ticket_id="SUP-812", metric="csat"))
    assert (event.comment, event.requester_email) == ("Too slow", None)
    reporter = {"emailAddress": "dora@acme.example", "displayName": "Dora"}
    double.objects["/rest/servicedeskapi/request/SUP-812"] = {"issueKey": "SUP-812", "reporter": reporter}
    event = await enriched(client, vendor, thin("jira", "csat:20431", ticket_id="SUP-812", metric="csat"))
    assert (event.comment, event.requester_email) == ("Too slow", "dora@acme.example")


async def test_intercom_brings_the_contact(opened: Open) -> None:
    double, client, vendor = await opened("intercom")
    double.objects["/conversations/21"] = {"id": "21", "contacts": {"contacts": [{"id": "c7"}]}}
    double.objects["/contacts/c7"] = {"id": "c7", "email": "dora@acme.example", "name": "Dora"}
    event = await enriched(client, vendor, thin("intercom", "21", metric="csat", normalised_score=1))
    assert event.requester_email == "dora@acme.example"


async def test_what_the_vendor_has_no_more_is_gone(opened: Open) -> None:
    _, client, vendor = await opened("surveymonkey")
    with pytest.raises(Gone):
        await enriched(client, vendor, thin("surveymonkey", "987", survey_id="1"))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("0.5", 0.5),
        ("-3", 0),
        ("nan", 0),
        ("inf", 3600),
        ("99999999", 3600),
        ("Mon, 02 Mar 2026 12:00:20 GMT", 20),
        ("Mon, 02 Mar 2026 11:00:00 GMT", 0),
        (None, 30),
        ("soon", 30),
    ],
)
def test_retry_after_is_understood_in_both_forms_and_never_for_ever(value: str | None, seconds: float) -> None:
    assert retry_after(value, NOW) == seconds


@pytest.mark.parametrize("name", ["zendesk", "freshdesk", "qualtrics", "jira"])
def test_a_vendor_whose_address_is_not_known_says_which_option_is_missing(name: str) -> None:
    settings = Settings(_env_file=None, sources={name: {"api_token": "t"}})
    with pytest.raises(ConfigurationError, match=f"sources.{name}"):
        open_vendors(settings, Policy(), SystemClock())


def test_every_vendor_can_at_least_enrich_or_list_and_has_a_pace() -> None:
    for vendor in VENDORS:
        assert vendor.enrich or vendor.list_since
        assert vendor.calls_per_minute > 0


async def test_who_has_no_patience_is_not_kept_waiting_by_who_has() -> None:
    clock = ManualClock(NOW)
    gate = Gate(clock, timedelta(0))
    gate.block(60)
    # What was on its way when the vendor asked for a minute may be told less.
    gate.block(1)
    patient = asyncio.ensure_future(gate.enter(timedelta(minutes=5), "acme"))
    await asyncio.sleep(0)
    with pytest.raises(RateLimited, match="60 s"):
        await asyncio.wait_for(gate.enter(timedelta(seconds=1), "acme"), 5)
    clock.advance(timedelta(seconds=60))
    await asyncio.wait_for(patient, 5)
