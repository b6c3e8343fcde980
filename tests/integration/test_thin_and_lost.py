"""What a webhook left out is fetched before anybody is alerted; what no webhook brought is found, once."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from services.ingest import app
from services.ingest.hearing import Hearing
from services.router import tables
from tests.support.embedded import Embedded, embedded
from tests.support.vendors import Fault, VendorDouble

SECRET, TOKEN = "a-secret", "a-token"
ACME = {"name": "Acme", "domains": ["acme.example"], "csm": "ana@us.example", "support_lead": "lea@us.example"}
ANA, LEA = "ana@us.example", "lea@us.example"
QUESTIONS = {"q1": {"metric": "csat", "min": 1, "max": 5}, "q2": {"role": "comment"}}
DETAILS = "/v3/surveys/77/responses/987/details"


@pytest.fixture(autouse=True)
def told_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ingest has heard it tells every 10 s; here a test would only wait for that."""
    monkeypatch.setattr(app, "Hearing", partial(Hearing, every=timedelta(milliseconds=100)))


def iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def given(score: str = "1") -> dict[str, Any]:
    """A response as SurveyMonkey's API has it."""
    answers = [
        {"id": "q1", "answers": [{"choice_metadata": {"weight": score}}]},
        {"id": "q2", "answers": [{"text": "The export fails"}]},
    ]
    contact = {"email": {"value": "dora@acme.example"}}
    return {"id": "987", "metadata": {"contact": contact}, "pages": [{"questions": answers}]}


def completed(event: str = "e1") -> bytes:
    """SurveyMonkey's webhook: it names the response, and no more."""
    return json.dumps(
        {
            "event_type": "response_completed",
            "event_id": event,
            "object_id": "987",
            "event_datetime": iso(datetime.now(UTC)),
            "resources": {"survey_id": "77"},
        }
    ).encode()


def rated(event: str = "z1", at: datetime | None = None, ticket: str = "51") -> bytes:
    """Zendesk's event webhook: a bad rating by somebody whose e-mail it does not say."""
    return json.dumps(
        {
            "type": "zen:event-type:ticket.csat_received",
            "id": event,
            "time": iso(at or datetime.now(UTC)),
            "detail": {"id": ticket, "subject": "Export", "status": "SOLVED"},
            "event": {"satisfaction_score": {"score": "BAD"}},
        }
    ).encode()


TICKET = {
    "ticket": {"id": 51, "subject": "Export", "requester_id": 7},
    "users": [{"id": 7, "name": "Dora", "email": "dora@acme.example"}],
}


def with_token(double: VendorDouble, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings and policy for a source whose API is the double; it is not asked for lists unless told to."""
    sources = {double.name: {"secret": SECRET, "api_token": TOKEN}}
    return sources, {double.name: {"api_url": double.url, "reconcile_every": "0s", **options}}


async def cards(loop: Embedded) -> list[str]:
    return sorted(row["recipient"] for row in await loop.rows(tables.notices) if row["kind"] == "card")


async def test_a_thin_webhook_is_enriched_first_and_alerted_once(tmp_path: Path) -> None:
    async with VendorDouble("surveymonkey", objects={DETAILS: given()}).running() as double:
        double.faults = [Fault(500), Fault(429, retry_after="0")]
        async with embedded(tmp_path, *with_token(double, questions=QUESTIONS)) as loop:
            await loop.knows("acme", **ACME)
            await loop.delivers("surveymonkey", completed(), SECRET)
            await loop.delivers("surveymonkey", completed(), SECRET)
            (case,) = await loop.eventually(loop.cases)
            assert case["account_id"] == "acme"
            assert case["responses"][0]["comment"] == "The export fails"
            assert case["responses"][0]["normalised_score"] == 1
            assert await cards(loop) == [ANA, LEA]
            assert await loop.happened(case["id"]) == ["opened"]


async def test_without_credentials_a_thin_event_goes_on_and_says_what_it_needs(tmp_path: Path) -> None:
    async with embedded(tmp_path, {"surveymonkey": {"secret": SECRET}}, {}) as loop:
        await loop.delivers("surveymonkey", completed(), SECRET)
        (row,) = await loop.eventually(lambda: loop.rows(tables.responses))
        assert (row["metric"], row["flagged"]) == ("none", False)

        async def counted() -> bool:
            return bool((await loop.source("surveymonkey")).get("api") == {"needs_credentials": 1})

        await loop.eventually(counted)


async def test_past_the_deadline_people_are_alerted_with_what_is_there_and_the_card_is_amended(tmp_path: Path) -> None:
    hang = asyncio.Event()
    async with VendorDouble("zendesk", objects={"/api/v2/tickets/51.json": TICKET}).running() as double:
        double.faults = [Fault(hang=hang), Fault(hang=hang)]
        async with embedded(tmp_path, *with_token(double, enrich_within="300ms")) as loop:
            await loop.knows("acme", **ACME)
            await loop.delivers("zendesk", rated(), SECRET)
            (orphan,) = await loop.eventually(loop.cases)
            assert orphan["account_id"] is None
            assert "fallback" in orphan["owner_reason"]
            hang.set()

            async def moved() -> Any:
                return [case for case in await loop.cases() if case["account_id"] == "acme"]

            (case,) = await loop.eventually(moved)
            assert case["id"] == orphan["id"]
            assert case["owner"] == ANA
            assert case["responses"][0]["requester_email"] == "dora@acme.example"
            assert len(case["responses"]) == 1
            assert await loop.happened(case["id"]) == ["opened", "moved", "response_revised"]
            assert {row["kind"] for row in await loop.rows(tables.notices)} == {"card"}


async def test_while_a_vendor_is_down_nobody_waits_behind_another_and_all_is_amended_when_it_is_back(
    tmp_path: Path,
) -> None:
    tickets = [str(number) for number in range(101, 121)]
    async with VendorDouble("zendesk").running() as double:
        double.objects = {f"/api/v2/tickets/{one}.json": TICKET for one in tickets}
        double.faults = [Fault(500)] * 10_000
        async with embedded(tmp_path, *with_token(double, enrich_within="300ms")) as loop:
            for one in tickets:
                await loop.delivers("zendesk", rated(f"z{one}", ticket=one), SECRET)

            async def all_of(email: str | None) -> bool:
                rows = await loop.rows(tables.responses)
                return [row["requester_email"] for row in rows] == [email] * len(tickets)

            await loop.eventually(lambda: all_of(None))
            double.faults.clear()
            await loop.eventually(lambda: all_of("dora@acme.example"))


def solved(event: str, ticket: str = "51") -> bytes:
    return json.dumps(
        {
            "type": "zen:event-type:ticket.status_changed",
            "id": event,
            "time": iso(datetime.now(UTC)),
            "detail": {"id": ticket, "subject": "Export", "status": "SOLVED"},
            "event": {"current": "SOLVED", "previous": "OPEN"},
        }
    ).encode()


async def test_a_ticket_that_ended_is_told_whose_it_is_and_waits_no_longer_than_a_rating_would(tmp_path: Path) -> None:
    hang = asyncio.Event()
    async with VendorDouble("zendesk", objects={"/api/v2/tickets/51.json": TICKET}).running() as double:
        async with embedded(tmp_path, *with_token(double, enrich_within="300ms")) as loop:

            async def known(ticket: str) -> Any:
                return [row for row in await loop.rows(tables.tickets) if row["ticket_id"] == ticket]

            await loop.delivers("zendesk", solved("s1"), SECRET)
            (row,) = await loop.eventually(lambda: known("51"))
            assert (row["status"], row["requester_email"]) == ("solved", "dora@acme.example")
            double.faults = [Fault(hang=hang)]
            await loop.delivers("zendesk", solved("s2", "52"), SECRET)
            (row,) = await loop.eventually(lambda: known("52"))
            assert (row["status"], row["requester_email"]) == ("solved", None)
            hang.set()


async def test_refused_credentials_are_told_in_words_and_nothing_is_lost(tmp_path: Path) -> None:
    async with VendorDouble("surveymonkey", objects={DETAILS: given()}).running() as double:
        double.faults = [Fault(401)] * 3
        async with embedded(tmp_path, *with_token(double, questions=QUESTIONS)) as loop:
            await loop.delivers("surveymonkey", completed(), SECRET)
            await loop.eventually(loop.cases)

            async def counted() -> bool:
                return (await loop.source("surveymonkey")).get("api", {}).get("refused", 0) >= 1

            await loop.eventually(counted)


async def test_a_lost_webhook_is_found_alerted_once_and_counted(tmp_path: Path) -> None:
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    rating = {"id": 9, "ticket_id": 51, "score": "bad", "comment": "Slow", "updated_at": iso(an_hour_ago)}
    async with VendorDouble(
        "zendesk", listed=[rating], objects={"/api/v2/tickets/51.json": TICKET}
    ).running() as double:
        sources, options = with_token(double, reconcile_every="200ms", reconcile_after="0s")
        async with embedded(tmp_path, sources, options) as loop:
            await loop.knows("acme", **ACME)
            (case,) = await loop.eventually(loop.cases)
            assert case["account_id"] == "acme"
            (row,) = await loop.rows(tables.responses)
            assert (row["record_id"], row["detected_by"]) == ("csat:51", "reconciler")
            rounds = double.count("satisfaction_ratings")

            async def asked_again() -> bool:
                return double.count("satisfaction_ratings") > rounds + 2

            await loop.eventually(asked_again)
            await loop.delivers("zendesk", rated(at=an_hour_ago), SECRET)

            async def counted() -> Any:
                found = await loop.source("zendesk")
                return found if found and found["lost"] and found["accepted"] else None

            assert (await loop.eventually(counted))["lost"] == 1
            assert await loop.happened(case["id"]) == ["opened"]
            assert await cards(loop) == [ANA, LEA]


async def test_what_webhooks_brought_is_recognised_in_the_vendors_list(tmp_path: Path) -> None:
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    rating = {"id": 9, "ticket_id": 51, "score": "bad", "comment": None, "updated_at": iso(an_hour_ago)}
    async with VendorDouble("zendesk", objects={"/api/v2/tickets/51.json": TICKET}).running() as double:
        sources, options = with_token(double, reconcile_every="200ms", reconcile_after="0s")
        async with embedded(tmp_path, sources, options) as loop:
            await loop.knows("acme", **ACME)
            await loop.delivers("zendesk", rated(at=an_hour_ago), SECRET)
            (case,) = await loop.eventually(loop.cases)
            double.listed = [rating]
            rounds = double.count("satisfaction_ratings")

            async def asked_again() -> bool:
                return double.count("satisfaction_ratings") > rounds + 3

            await loop.eventually(asked_again)
            # What is listed goes the same way as this webhook, and before it: then it has been looked at, too.
            double.listed = [rating]
            await loop.delivers("zendesk", rated("z2", an_hour_ago).replace(b'"51"', b'"52"'), SECRET)

            async def other_came() -> bool:
                return len(await loop.rows(tables.responses)) == 2

            await loop.eventually(other_came)
            assert {row["detected_by"] for row in await loop.rows(tables.responses)} == {"webhook"}
            assert "response_revised" not in await loop.happened(case["id"])


def of_thread(at: datetime, comment: str = "Slow") -> tuple[bytes, dict[str, Any]]:
    """The same rating as Help Scout's webhook has it, and as its report lists it, which has no id of it."""
    who = {"id": 7, "firstName": "Dora", "emails": [{"value": "dora@acme.example"}]}
    webhook = {"id": 5434, "customer": who, "ticketId": 51, "threadId": 3002, "rating": "Bad", "comments": comment,
               "mailbox": {"id": 9}, "createdAt": iso(at), "modifiedAt": iso(at)}  # fmt: skip
    listed = {"id": 51, "threadid": 3002, "ratingId": 3, "ratingCustomerId": 7, "ratingCustomerName": "Dora",
              "ratingComments": comment, "ratingCreatedAt": iso(at)}  # fmt: skip
    return json.dumps(webhook).encode(), listed


def help_scout(listed: list[dict[str, Any]]) -> VendorDouble:
    emails = {"_embedded": {"emails": [{"value": "dora@acme.example"}]}}
    return VendorDouble("helpscout", token="app:secret", listed=listed, objects={"/v2/customers/7/emails": emails})


@pytest.mark.parametrize("webhook_first", [True, False])
async def test_a_rating_without_an_id_in_the_vendors_list_is_one_response_in_either_order(
    tmp_path: Path, webhook_first: bool
) -> None:
    webhook, listed = of_thread(datetime.now(UTC) - timedelta(hours=1))
    async with help_scout([] if webhook_first else [listed]).running() as double:
        sources, options = with_token(double, reconcile_every="200ms", reconcile_after="0s")
        sources["helpscout"]["api_token"] = double.token
        async with embedded(tmp_path, sources, options) as loop:
            await loop.knows("acme", **ACME)
            if not webhook_first:
                await loop.eventually(loop.cases)
            await loop.delivers("helpscout", webhook, SECRET, **{"x-helpscout-event": "satisfaction.ratings"})
            (case,) = await loop.eventually(loop.cases)
            double.listed, rounds = [listed], double.count("happiness")

            async def looked_at() -> bool:
                return double.count("happiness") > rounds + 3

            await loop.eventually(looked_at)
            _, another = of_thread(datetime.now(UTC) - timedelta(minutes=1), "Still slow")
            double.listed = [listed, {**another, "threadid": 3003}]

            async def both_came() -> bool:
                rows = await loop.rows(tables.responses)
                return len(rows) >= 2 and any(row["account_hint"].get("mailbox_id") for row in rows)

            await loop.eventually(both_came)
            found = {row["record_id"]: row["detected_by"] for row in await loop.rows(tables.responses)}
            first = {"5434": "webhook"} if webhook_first else {"report:51:3002": "reconciler"}
            assert found == {**first, "report:51:3003": "reconciler"}
            assert len(await loop.cases()) == 1
            assert (await loop.cases())[0]["id"] == case["id"]
