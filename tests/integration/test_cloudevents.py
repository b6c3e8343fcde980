"""POST /v1/events: CloudEvents structured, binary and batched, element by element."""

import json
from base64 import b64encode
from typing import Any

import httpx
import pytest

from services.ingest.dead_letters import replay_webhook
from services.ingest.sources.cloudevents import MAX_BATCH
from tests.support.ingest import ADMIN, Ingest, as_message, running_ingest
from tests.support.payloads import Sample, samples

BEARER = {"authorization": "Bearer test-bearer"}
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
RECEIVED, TICKETS, DEAD = "feedback.received", "tickets.changed", "feedback.received.dead"


def event(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"ce-{number}",
        "source": "https://desk.acme.example",
        "type": "survey.response.created",
        "time": "2026-03-02T11:00:00Z",
        "data": {"id": f"r{number}", "metric": "nps", "score": 3},
    } | changes


async def send(
    ingest: Ingest, document: Any, kind: str = STRUCTURED, query: str = "", **headers: str
) -> httpx.Response:
    headers = {**BEARER, "content-type": kind, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return await ingest.http.post(f"/v1/events{query}", content=json.dumps(document), headers=headers)


def running() -> Any:
    return running_ingest(secrets={"events": "test-bearer"})


@pytest.mark.parametrize("one", samples("events"), ids=str)
async def test_each_mode_becomes_the_records_it_must(one: Sample) -> None:
    async with running() as ingest:
        shown = await ingest.http.post("/v1/events?dry_run=true", content=one.body, headers=one.headers)
        assert shown.json()["outcome"] == "accept"
        for record, expected in zip(shown.json()["events"], one.expected, strict=True):
            wanted = {name: value for name, value in expected.items() if name != "occurred_at"}
            assert {name: record[name] for name in wanted} == wanted
        assert ingest.log.records == []
        answer = await ingest.http.post("/v1/events", content=one.body, headers=one.headers)
        assert (answer.status_code, answer.json()["accepted"]) == (202, len(one.expected))
        assert len(ingest.log.of(RECEIVED)) == len(one.expected)


@pytest.mark.parametrize("token", ["test-bearer", ADMIN])
async def test_the_secret_of_events_and_the_admin_token_open_the_door(token: str) -> None:
    async with running() as ingest:
        assert (await send(ingest, event(), authorization=f"Bearer {token}")).status_code == 202


@pytest.mark.parametrize("header", ["", "Bearer ", "Bearer nope", "Basic test-bearer", "Bearer test-bearer,x"])
async def test_nothing_else_does(header: str) -> None:
    async with running() as ingest:
        assert (await send(ingest, event(), authorization=header)).status_code == 401
        assert ingest.log.records == []


async def test_without_its_secret_only_the_admin_token_opens_the_door() -> None:
    async with running_ingest() as ingest:
        assert (await send(ingest, event())).status_code == 401
        assert (await send(ingest, event(), authorization=f"Bearer {ADMIN}")).status_code == 202


async def test_source_and_id_together_identify_an_event() -> None:
    async with running() as ingest:
        batch = [event(1), event(1), event(1, source="https://other.example"), event(2)]
        answer = await send(ingest, batch, BATCH)
        assert answer.json()["accepted"] == 3
        again = await send(ingest, event(1))
        assert again.json()["ids"] == answer.json()["ids"][:1]


async def test_a_ticket_goes_to_its_own_topic() -> None:
    async with running() as ingest:
        ticket = {"ticket": {"id": "T-1", "status": "open", "subject": "Login"}}
        assert (await send(ingest, event(type="ticket.updated", data=ticket))).status_code == 202
        (record,) = ingest.log.of(TICKETS)
        assert json.loads(record.value or b"")["ticket_status"] == "open"


async def test_base64_data_is_read() -> None:
    async with running() as ingest:
        encoded = event()
        encoded["data_base64"] = b64encode(json.dumps(encoded.pop("data")).encode()).decode()
        assert (await send(ingest, encoded)).status_code == 202


@pytest.mark.parametrize(("batch", "reason"), [([], "empty"), ([event(type="order.paid")], "not needed")])
async def test_nothing_for_us_is_ignored_with_the_reason(batch: list[Any], reason: str) -> None:
    async with running() as ingest:
        shown = await send(ingest, batch, BATCH, "?dry_run=true")
        assert (shown.json()["outcome"], shown.json()["events"]) == ("ignore", [])
        answer = await send(ingest, batch, BATCH)
        assert (answer.status_code, answer.json()["accepted"]) == (200, 0)
        assert reason in answer.json()["reason"]


async def test_the_good_of_a_batch_is_taken_and_the_bad_is_kept_and_named() -> None:
    async with running() as ingest:
        bad = event(2, data={"id": "r2", "metric": "nps", "score": 11})
        answer = await send(ingest, [event(1), bad, 5, event(3, type="order.paid"), event(4)], BATCH)
        assert answer.status_code == 202
        assert answer.json()["accepted"] == 2
        rejected = answer.json()["rejected"]
        assert [one["index"] for one in rejected] == [1, 2]
        assert "scale 0 to 10" in rejected[0]["detail"]
        letters = ingest.log.of(DEAD)
        assert [dict(letter.headers)["dl_id"].decode() for letter in letters] == [
            one["dead_letter_id"] for one in rejected
        ]
        assert json.loads(letters[0].value or b"") == bad


async def test_a_rejected_element_is_replayed_alone() -> None:
    async with running() as ingest:
        await send(ingest, [event(1), event(2, data={"id": "r2", "metric": "nps", "score": 11})], BATCH)
        (letter,) = ingest.log.of(DEAD)
        mended = type(letter)(
            letter.topic, letter.key, (letter.value or b"").replace(b'"score":11', b'"score":1'), letter.headers
        )
        assert len(await replay_webhook(as_message(mended), ingest.runtime)) == 1
        assert [record.key for record in ingest.log.of(RECEIVED)] == [b"events:r1", b"events:r2"]


async def test_a_batch_with_nothing_good_is_422() -> None:
    async with running() as ingest:
        answer = await send(ingest, [5, event(specversion="0.3")], BATCH)
        assert answer.status_code == 422
        assert len(answer.json()["rejected"]) == len(ingest.log.of(DEAD)) == 2
        shown = await send(ingest, [event(), 5], BATCH, "?dry_run=true")
        assert [one["index"] for one in shown.json()["rejected"]] == [1]


async def test_a_batch_has_a_limit() -> None:
    async with running() as ingest:
        answer = await send(ingest, [{}] * (MAX_BATCH + 1), BATCH)
        assert answer.status_code == 422
        assert len(ingest.log.records) == 1


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        event(specversion="0.3"),
        event(id=""),
        event(id="x" * 241),
        event(source=None),
        event(type=5),
        event(time="noon"),
        event(data="text"),
        event(data=None),
        event(data_base64="e30="),
        {**event(), "data": None, "data_base64": "%%%"},
        {**event(), "data": None, "data_base64": b64encode(b"[" * 5000).decode()},
    ],
    ids=lambda document: str(document)[:60],
)
async def test_what_is_no_event_is_422_and_kept(document: Any) -> None:
    async with running() as ingest:
        answer = await send(ingest, document)
        assert answer.status_code == 422
        (letter,) = ingest.log.of(DEAD)
        assert dict(letter.headers)["content-type"].decode() == STRUCTURED


class TestBinary:
    @staticmethod
    def headers(**changes: str) -> dict[str, str]:
        plain = {name: value for name, value in event().items() if name != "data"}
        return {f"ce-{name}": value for name, value in (plain | changes).items()} | BEARER

    async def test_attributes_are_percent_decoded_once(self) -> None:
        async with running() as ingest:
            headers = self.headers(id="a%2520%E2%82%AC") | {"content-type": "application/json"}
            answer = await ingest.http.post("/v1/events", json=event()["data"], headers=headers)
            assert answer.status_code == 202
            data = json.loads(ingest.log.records[0].value or b"")
            assert data["unique_id"] == "https://desk.acme.example|a%20€"

    @pytest.mark.parametrize("wrong", ["%ff", "%E2%82"])
    async def test_attributes_that_are_no_text_are_refused(self, wrong: str) -> None:
        async with running() as ingest:
            headers = self.headers(id=wrong) | {"content-type": "application/json"}
            assert (await ingest.http.post("/v1/events", json={}, headers=headers)).status_code == 422

    async def test_a_letter_keeps_the_attributes_and_not_the_token(self) -> None:
        async with running() as ingest:
            headers = self.headers() | {"content-type": "application/json"}
            bad = {"id": "r1", "metric": "nps", "score": 11}
            await ingest.http.post("/v1/events", json=bad, headers=headers)
            (letter,) = ingest.log.of(DEAD)
            names = {name for name, _ in letter.headers}
            assert {"ce-id", "ce-source", "ce-type", "ce-time", "ce-specversion"} <= names
            assert "authorization" not in names
            mended = type(letter)(letter.topic, letter.key, json.dumps(bad | {"score": 1}).encode(), letter.headers)
            assert len(await replay_webhook(as_message(mended), ingest.runtime)) == 1

    @pytest.mark.parametrize("kind", ["application/xml", "application/cloudevents+xml", "image/png"])
    async def test_data_that_is_not_json_is_415(self, kind: str) -> None:
        async with running() as ingest:
            answer = await ingest.http.post(
                "/v1/events", content=b"{}", headers=self.headers() | {"content-type": kind}
            )
            assert answer.status_code == 415

    async def test_json_without_any_sign_of_an_event_is_refused(self) -> None:
        async with running() as ingest:
            answer = await ingest.http.post("/v1/events", json={}, headers=BEARER)
            assert "Not a CloudEvent" in answer.json()["detail"]
