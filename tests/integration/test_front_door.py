"""Deliveries through the real front door onto a log: what is taken, what is refused, and in which words."""

import asyncio
import json
import time
from datetime import timedelta
from typing import Any

import httpx
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from services.ingest.dead_letters import replay_webhook
from services.ingest.front_door import BODY_LIMIT
from services.ingest.sources import SOURCES
from shared.errors import BusUnavailable, PoisonError
from tests.support.examples import examples
from tests.support.ingest import ADMIN, NOW, Ingest, as_message, running_ingest, secret_of
from tests.support.payloads import Sample, sample, samples
from tests.support.signing import SIGNERS, sign, signed_json

RECEIVED, TICKETS, DEAD = "feedback.received", "tickets.changed", "feedback.received.dead"
# HubSpot's signature covers the address its samples were sent to; see test_hubspot.
HOOKS = [one for one in samples() if one.source != "events" and one.secret and not one.url]


def survey(**data: Any) -> dict[str, Any]:
    """A low CSAT in our own JSON."""
    return {
        "type": "survey.response.created",
        "timestamp": "2026-03-02T11:59:00Z",
        "data": {"id": "r1", "metric": "csat", "score": 1, "comment": "Slow", **data},
    }


async def deliver(
    ingest: Ingest, document: Any, source: str = "hmac", query: str = "", **signing: str
) -> httpx.Response:
    """Post a document as the source would, signed at the service's present time."""
    url = f"/v1/webhooks/{source}{query}"
    body, headers = signed_json(source, document, secret_of(source), ingest.clock.now(), **signing)
    return await ingest.http.post(url, content=body, headers=headers)


async def deliver_bytes(ingest: Ingest, body: bytes, content_type: str | None = "application/json") -> httpx.Response:
    headers = sign("hmac", body, secret_of("hmac"), ingest.clock.now())
    del headers["content-type"]
    if content_type is not None:
        headers["content-type"] = content_type
    return await ingest.http.post("/v1/webhooks/hmac", content=body, headers=headers)


async def post(ingest: Ingest, one: Sample, query: str = "") -> httpx.Response:
    return await ingest.http.post(f"/v1/webhooks/{one.source}{query}", content=one.body, headers=one.headers)


def running(one: Sample) -> Any:
    return running_ingest(secrets={one.source: one.secret or ""}, options={one.source: one.options}, now=one.at)


class TestAccepted:
    @pytest.mark.parametrize("one", HOOKS, ids=str)
    async def test_every_sample_goes_onto_the_log_as_it_must(self, one: Sample) -> None:
        async with running(one) as ingest:
            answer = await post(ingest, one)
            assert answer.status_code == 202
            assert answer.json()["accepted"] == len(one.expected) == len(answer.json()["ids"])
            kinds = {"survey response": RECEIVED, "ticket": TICKETS}
            assert [record.topic for record in ingest.log.records] == [kinds[each["kind"]] for each in one.expected]

    async def test_the_record_is_a_cloudevent_keyed_by_source_and_record(self) -> None:
        async with running_ingest("hmac") as ingest:
            answer = await deliver(ingest, survey(), delivery_id="d1")
            (record,) = ingest.log.of(RECEIVED)
            headers = dict(record.headers)
            assert headers["ce_id"].decode() == answer.json()["ids"][0]
            assert headers["ce_type"] == b"closeloop.survey.responded"
            assert record.key == b"hmac:r1"
            data = json.loads(record.value or b"")
            assert (data["unique_id"], data["received_at"]) == ("d1", "2026-03-02T12:00:00Z")

    async def test_g2_a_repeated_delivery_is_answered_like_the_first_with_the_same_ids(self) -> None:
        async with running_ingest("hmac") as ingest:
            first = await deliver(ingest, survey(), delivery_id="d1")
            ingest.clock.advance(timedelta(hours=3))
            again = await deliver(ingest, survey(), delivery_id="d1")
            other = await deliver(ingest, survey(), delivery_id="d2")
            assert (first.status_code, first.json()) == (again.status_code, again.json())
            assert other.json()["ids"] != first.json()["ids"]

    async def test_two_vendors_ids_may_collide(self) -> None:
        async with running_ingest("hmac", "standard") as ingest:
            here = await deliver(ingest, survey(), "hmac", delivery_id="same")
            there = await deliver(ingest, survey(), "standard", delivery_id="same")
            assert here.json()["ids"] != there.json()["ids"]
            assert [record.key for record in ingest.log.of(RECEIVED)] == [b"hmac:r1", b"standard:r1"]

    async def test_a_second_secret_is_active_during_rotation(self) -> None:
        async with running_ingest(secrets={"hmac": f"retired , {secret_of('hmac')}"}) as ingest:
            assert (await deliver(ingest, survey())).status_code == 202

    @pytest.mark.parametrize(
        "comment",
        [
            "Ça n'a pas marché, 非常に残念です",
            "‏השירות היה איטי‏ — مرحبا",
            "👩‍👩‍👧‍👦 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ☹️",
            "<!channel> <@U123> *bold* https://evil.example/?a=1&b=2 ```",
            "line\nline\r\n\ttab \\ \" ' \u0007",
            "ü" * 20_000,
            "x" * 100_000,
        ],
        ids=["accents", "rtl", "emoji", "slack", "control", "40kB", "100k"],
    )
    async def test_a_comment_arrives_whole_and_untouched(self, comment: str) -> None:
        async with running_ingest("hmac") as ingest:
            assert (await deliver(ingest, survey(comment=comment))).status_code == 202
            (record,) = ingest.log.of(RECEIVED)
            assert json.loads(record.value or b"")["comment"] == comment

    async def test_what_no_database_keeps_is_replaced(self) -> None:
        async with running_ingest("hmac") as ingest:
            body = json.dumps(survey(comment="a\x00b")).replace("Slow", "x").encode()
            lone = body.replace(b"\\u0000", b"\\u0000\\ud83d")
            assert (await deliver_bytes(ingest, lone)).status_code == 202
            (record,) = ingest.log.of(RECEIVED)
            assert json.loads(record.value or b"")["comment"] == "a\ufffd\ufffdb"

    @pytest.mark.parametrize(
        "content_type",
        ["application/json; charset=utf-8", "application/vnd.acme.v1+json", "text/json", "text/plain", None],
    )
    async def test_json_is_taken_under_any_name_that_can_be_json(self, content_type: str | None) -> None:
        async with running_ingest("hmac") as ingest:
            assert (await deliver_bytes(ingest, json.dumps(survey()).encode(), content_type)).status_code == 202

    @pytest.mark.parametrize("content_type", ["application/json", "text/plain"])
    async def test_a_byte_order_mark_does_no_harm(self, content_type: str) -> None:
        async with running_ingest("hmac") as ingest:
            body = b"\xef\xbb\xbf" + json.dumps(survey()).encode()
            assert (await deliver_bytes(ingest, body, content_type)).status_code == 202

    async def test_a_trailing_slash_is_not_redirected(self) -> None:
        async with running_ingest("hmac") as ingest:
            assert (await deliver(ingest, survey(), query="/")).status_code == 202

    async def test_unsigned_deliveries_come_in_by_option_and_shared_secret(self) -> None:
        token = {"x-closeloop-token": secret_of("hmac")}
        async with running_ingest("hmac") as ingest:
            assert (await ingest.http.post("/v1/webhooks/hmac", json=survey(), headers=token)).status_code == 401
        async with running_ingest("hmac", options={"hmac": {"unsigned": True}}) as ingest:
            assert (await ingest.http.post("/v1/webhooks/hmac", json=survey(), headers=token)).status_code == 202
            assert (await ingest.http.post("/v1/webhooks/hmac", json=survey())).status_code == 401
            query = f"/v1/webhooks/hmac?token={secret_of('hmac')}"
            assert (await ingest.http.post(query, json=survey())).status_code == 401


class TestNotNeeded:
    @pytest.mark.parametrize(
        "document",
        [survey(score=None), {"type": "ping", "data": {}}, {"type": "invoice.paid", "data": [1]}],
        ids=["null score", "ping", "another type"],
    )
    async def test_it_is_answered_200_with_the_reason(self, document: Any) -> None:
        async with running_ingest("hmac") as ingest:
            answer = await deliver(ingest, document)
            assert (answer.status_code, answer.json()["accepted"]) == (200, 0)
            assert answer.json()["reason"]
            assert ingest.log.records == []

    @pytest.mark.parametrize("method", ["HEAD", "GET", "OPTIONS"])
    @pytest.mark.parametrize("source", [one.name for one in SOURCES])
    async def test_vendors_may_check_the_address_before_there_is_a_secret(self, source: str, method: str) -> None:
        async with running_ingest() as ingest:
            assert (await ingest.http.request(method, f"/v1/webhooks/{source}")).status_code == 200

    async def test_cloudevents_asks_leave_to_send(self) -> None:
        async with running_ingest("hmac") as ingest:
            for path in ("/v1/webhooks/hmac", "/v1/events"):
                asking = {"webhook-request-origin": "desk.example", "webhook-request-rate": "120"}
                answer = await ingest.http.options(path, headers=asking)
                assert answer.headers["webhook-allowed-origin"] == "desk.example"

    async def test_other_methods_are_refused(self) -> None:
        async with running_ingest("hmac") as ingest:
            answer = await ingest.http.delete("/v1/webhooks/hmac")
            assert answer.status_code == 405
            assert "POST" in answer.headers["allow"]


class TestRefused:
    async def test_an_unknown_source_is_404(self) -> None:
        async with running_ingest("hmac") as ingest:
            answer = await ingest.http.post("/v1/webhooks/acme", json={})
            assert answer.status_code == 404
            assert answer.headers["content-type"] == "application/problem+json"
            assert "zendesk" in answer.json()["detail"]

    async def test_a_source_that_is_off_is_404_and_says_what_switches_it_on(self) -> None:
        async with running_ingest("hmac") as ingest:
            answer = await ingest.http.post("/v1/webhooks/zendesk", json={})
            assert answer.status_code == 404
            assert "CLOSELOOP_SOURCES__ZENDESK__SECRET" in answer.json()["detail"]

    @pytest.mark.parametrize("one", [one for one in HOOKS if one.source in SIGNERS], ids=str)
    async def test_wrong_missing_malformed_and_foreign_signatures_are_401(self, one: Sample) -> None:
        wrong = dict(one.headers)
        bare = {"content-type": one.headers["content-type"]}
        foreign = bare | sign(one.source, one.body, "whsec_Zm9yZWlnbg==", one.at)
        for name, value in one.headers.items():
            if "signature" in name and "timestamp" not in name:
                wrong[name] = value[:-4] + "AAAA"
        async with running(one) as ingest:
            for headers in (wrong, bare, foreign, {**wrong, "content-type": "application/json"}):
                answer = await ingest.http.post(f"/v1/webhooks/{one.source}", content=one.body, headers=headers)
                assert answer.status_code == 401, headers
                assert (one.secret or "") not in answer.text
            assert ingest.log.records == []

    @pytest.mark.parametrize("hours", [-1, 1])
    async def test_a_stale_or_replayed_delivery_is_401_also_when_our_clock_is_behind(self, hours: int) -> None:
        one = sample("zendesk", "trigger_csat")
        async with running_ingest(secrets={"zendesk": one.secret or ""}, now=one.at + timedelta(hours=hours)) as ingest:
            answer = await post(ingest, one)
            assert answer.status_code == 401
            assert "300 s" in answer.json()["detail"]

    async def test_a_skewed_vendors_clock_is_forgiven_by_the_policy(self) -> None:
        one = sample("zendesk", "trigger_csat")
        late = one.at + timedelta(hours=1)
        options = {"zendesk": {"replay_window": "2h"}}
        async with running_ingest(secrets={"zendesk": one.secret or ""}, options=options, now=late) as ingest:
            assert (await post(ingest, one)).status_code == 202

    async def test_a_body_over_a_mebibyte_is_413_before_its_signature_is_looked_at(self) -> None:
        async with running_ingest("hmac") as ingest:
            assert (await ingest.http.post("/v1/webhooks/hmac", content=b"x" * (BODY_LIMIT + 1))).status_code == 413

            async def endless() -> Any:
                for _ in range(BODY_LIMIT // 1024 + 1):
                    yield b"x" * 1024

            assert (await ingest.http.post("/v1/webhooks/hmac", content=endless())).status_code == 413
            assert (await ingest.http.post("/v1/webhooks/hmac", content=b"x" * BODY_LIMIT)).status_code == 401

    @pytest.mark.parametrize("declared", [str(BODY_LIMIT + 1), "9" * 5000])
    async def test_a_body_declared_too_large_is_413_before_any_of_it_has_come(self, declared: str) -> None:
        async def never() -> Any:
            await asyncio.Event().wait()
            yield b""

        async with running_ingest("hmac") as ingest, asyncio.timeout(5):
            headers = {"content-length": declared}
            assert (await ingest.http.post("/v1/webhooks/hmac", content=never(), headers=headers)).status_code == 413

    async def test_a_body_of_a_mebibyte_is_taken(self) -> None:
        async with running_ingest("hmac") as ingest:
            filler = BODY_LIMIT - len(json.dumps(survey(comment="")).encode())
            body = json.dumps(survey(comment="é" * (filler // 2)), ensure_ascii=False).encode()
            began = time.perf_counter()
            assert (await deliver_bytes(ingest, body)).status_code == 202
            assert time.perf_counter() - began < 10

    @pytest.mark.parametrize(
        "content_type",
        ["application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "image/png"],
    )
    async def test_another_format_is_415(self, content_type: str) -> None:
        async with running_ingest("hmac") as ingest:
            answer = await deliver_bytes(ingest, json.dumps(survey()).encode(), content_type)
            assert answer.status_code == 415
            assert "JSON" in answer.json()["detail"]

    async def test_a_compressed_body_is_415(self) -> None:
        async with running_ingest("hmac") as ingest:
            headers = sign("hmac", b"{}", secret_of("hmac"), NOW) | {"content-encoding": "br"}
            assert (await ingest.http.post("/v1/webhooks/hmac", content=b"{}", headers=headers)).status_code == 415

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"score=1",
            b"\xff\xfe\x00",
            b"[]",
            b"5",
            b'"text"',
            b"null",
            b"{}",
            b"[" * 100_000,
            b'{"type":"survey.response.created","type":"ping"}',
            json.dumps(survey(score=6)).encode(),
            json.dumps(survey(score="great")).encode(),
            json.dumps(survey(score=10**300)).encode(),
            json.dumps(survey(score=float("nan"))).encode(),
            json.dumps(survey(score=True)).encode(),
            json.dumps(survey(comment={"text": "Slow"})).encode(),
            json.dumps(survey(ticket=[1])).encode(),
            json.dumps(survey(id="x" * 256)).encode(),
            json.dumps({**survey(), "timestamp": "yesterday"}).encode(),
            json.dumps({**survey(), "data": "text"}).encode(),
        ],
        ids=lambda body: body[:30].decode("latin-1") + str(len(body)),
    )
    async def test_g12_bad_input_is_422_in_words_and_kept(self, body: bytes) -> None:
        async with running_ingest("hmac") as ingest:
            answer = await deliver_bytes(ingest, body)
            assert answer.status_code == 422
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["detail"]
            (letter,) = ingest.log.records
            assert (letter.topic, letter.value) == (DEAD, body)
            headers = dict(letter.headers)
            assert headers["dl_id"].decode() == answer.json()["dead_letter_id"]
            assert headers["dl_reason"].decode() == answer.json()["detail"]

    async def test_a_score_outside_its_scale_names_the_scale(self) -> None:
        async with running_ingest("hmac") as ingest:
            answer = await deliver(ingest, survey(score=6))
            assert answer.json()["detail"] == "data.score: csat 6 is outside its scale 1 to 5."


class TestDurable:
    @pytest.mark.parametrize("wrong", [{"comment": 5}, {"ticket": {"id": []}}, {"respondent": "dora"}], ids=str)
    async def test_a_wrong_type_is_named_by_the_path_that_was_sent(self, wrong: dict[str, Any]) -> None:
        async with running_ingest("hmac") as ingest:
            answer = await deliver(ingest, survey(**wrong))
            assert f"`$.data.{next(iter(wrong))}" in answer.json()["detail"]

    async def test_g1_without_the_log_there_is_no_202_but_503_and_a_time_to_come_back(self) -> None:
        async with running_ingest("hmac") as ingest:
            ingest.log.down = True
            for document in (survey(), survey(score=6)):
                answer = await deliver(ingest, document)
                assert answer.status_code == 503
                assert 0 < int(answer.headers["retry-after"]) < 60
            assert (await deliver(ingest, survey(score=None))).status_code == 200
            ingest.log.down = False
            assert (await deliver(ingest, survey())).status_code == 202

    async def test_g1_the_answer_waits_for_the_log(self) -> None:
        async with running_ingest("hmac") as ingest:
            durable = asyncio.Event()
            publish = ingest.log.publish

            async def slow(records: Any) -> None:
                await durable.wait()
                await publish(records)

            ingest.log.publish = slow  # type: ignore[method-assign]
            delivery = asyncio.create_task(deliver(ingest, survey()))
            done, _ = await asyncio.wait([delivery], timeout=0.05)
            assert not done
            durable.set()
            assert (await delivery).status_code == 202


class TestDryRun:
    @pytest.mark.parametrize("one", HOOKS, ids=str)
    async def test_it_shows_what_a_delivery_becomes_and_publishes_nothing(self, one: Sample) -> None:
        async with running(one) as ingest:
            answer = await post(ingest, one, "?dry_run=true")
            assert answer.status_code == 200
            body = answer.json()
            assert (body["outcome"], body["reason"]) == (one.outcome, None)
            for shown, expected in zip(body["events"], one.expected, strict=True):
                wanted = {name: value for name, value in expected.items() if name != "occurred_at"}
                assert {name: shown[name] for name in wanted} == wanted
            assert ingest.log.records == []

    async def test_it_needs_the_signature_and_keeps_no_dead_letter(self) -> None:
        async with running_ingest("hmac") as ingest:
            assert (await ingest.http.post("/v1/webhooks/hmac?dry_run=true", json=survey())).status_code == 401
            answer = await deliver(ingest, survey(score=6), query="?dry_run=true")
            assert answer.status_code == 422
            assert "dead_letter_id" not in answer.json()
            assert ingest.log.records == []

    async def test_it_says_why_nothing_would_be_taken(self) -> None:
        async with running_ingest("hmac") as ingest:
            answer = await deliver(ingest, survey(score=None), query="?dry_run=true")
            assert answer.json() == {"outcome": "ignore", "reason": "The response has no score.", "events": []}


class TestDeadLetters:
    async def letter(self, ingest: Ingest) -> Any:
        answer = await deliver(ingest, survey(id="x" * 256), delivery_id="d1")
        assert answer.status_code == 422
        return ingest.log.records.pop()

    async def test_a_letter_holds_no_signature_and_no_token(self) -> None:
        async with running_ingest("hmac", options={"hmac": {"unsigned": True}}) as ingest:
            body, headers = signed_json("hmac", {}, secret_of("hmac"), NOW, delivery_id="d1")
            headers |= {"authorization": "Bearer x", "cookie": "a=b", "x-closeloop-token": "y"}
            await ingest.http.post("/v1/webhooks/hmac?token=z", content=body, headers=headers)
            (letter,) = ingest.log.records
            kept = {name for name, _ in letter.headers}
            ours = {f"dl_{name}" for name in ("id", "kind", "reason", "at", "topic", "source")}
            assert kept == ours | {"content-type", "x-github-delivery"}

    async def test_a_replayed_letter_becomes_the_events_of_its_own_time_once_the_cause_is_gone(self) -> None:
        words = {"Schlecht": "bad"}
        one = sample("zendesk", "trigger_csat")
        body = one.body.replace(b"Good, I'm satisfied", b"Schlecht")
        headers = sign("zendesk", body, one.secret or "", one.at, delivery_id="8350411720")
        async with running_ingest(secrets={"zendesk": one.secret or ""}, now=one.at) as before:
            answer = await before.http.post("/v1/webhooks/zendesk", content=body, headers=headers)
            assert "rating_text_map" in answer.json()["detail"]
            (letter,) = before.log.records
        later = one.at + timedelta(days=2)
        async with running_ingest(options={"zendesk": {"rating_text_map": words}}, now=later) as after:
            ids = await replay_webhook(as_message(letter), after.runtime)
            again = await replay_webhook(as_message(letter), after.runtime)
            assert ids == again
            data = json.loads(after.log.of(RECEIVED)[0].value or b"")
            assert data["normalised_score"] == 1
            assert data["unique_id"] == "8350411720"
            assert data["received_at"] == "2026-03-03T08:15:40Z"

    async def test_a_letter_that_still_cannot_be_translated_says_why(self) -> None:
        async with running_ingest("hmac") as ingest:
            letter = await self.letter(ingest)
            with pytest.raises(PoisonError, match=r"data\.id is longer"):
                await replay_webhook(as_message(letter), ingest.runtime)
            assert ingest.log.records == []

    async def test_a_letter_of_nobody_we_know_is_refused(self) -> None:
        async with running_ingest("hmac") as ingest:
            letter = await self.letter(ingest)
            foreign = as_message(letter)
            for name, value in (("dl_source", b"acme"), ("dl_kind", b"message")):
                headers = tuple((key, value if key == name else old) for key, old in letter.headers)
                with pytest.raises(PoisonError):
                    await replay_webhook(
                        type(foreign)(*(foreign.topic, 0, 0, b"", b"{}", headers, NOW)), ingest.runtime
                    )

    async def test_a_replay_the_log_cannot_take_is_told(self) -> None:
        async with running_ingest("hmac") as ingest:
            body = json.dumps(survey()).encode()
            await deliver_bytes(ingest, b"{}")
            letter = ingest.log.records.pop()
            good = type(letter)(letter.topic, letter.key, body, letter.headers)
            ingest.log.down = True
            with pytest.raises(BusUnavailable):
                await replay_webhook(as_message(good), ingest.runtime)


class TestSeen:
    async def test_g11_logs_name_source_outcome_and_ids_and_nothing_of_the_customer(self) -> None:
        async with running_ingest("hmac", options={"hmac": {"unsigned": True}}) as ingest:
            with structlog.testing.capture_logs() as logs:
                await deliver(ingest, survey(comment="my secret comment", respondent={"email": "mia@nordwind.example"}))
                await deliver(ingest, survey(score="my secret comment"))
                await ingest.http.post("/v1/webhooks/hmac?token=s3cret", json=survey())
            said = str(logs)
            for private in ("my secret comment", "nordwind", "s3cret", secret_of("hmac")):
                assert private not in said
            assert [line["outcome"] for line in logs] == ["accept", "unprocessable", "unauthorized"]

    async def test_every_outcome_is_counted(self) -> None:
        def count(source: str, outcome: str) -> float:
            labels = {"source": source, "outcome": outcome}
            return REGISTRY.get_sample_value("closeloop_webhooks_total", labels) or 0.0

        seen = [("hmac", "accept"), ("hmac", "ignore"), ("hmac", "unprocessable"), ("unknown", "unknown_source")]
        before = [count(*labels) for labels in seen]
        async with running_ingest("hmac") as ingest:
            await deliver(ingest, survey())
            await deliver(ingest, survey(score=None))
            await deliver(ingest, survey(score=6))
            await ingest.http.post("/v1/webhooks/" + "x" * 50, json={})
        assert [count(*labels) for labels in seen] == [number + 1 for number in before]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=25,
)
near_misses = st.fixed_dictionaries(
    {"type": st.sampled_from(["survey.response.created", "ticket.updated"])},
    optional={
        "timestamp": json_values,
        "data": st.dictionaries(
            st.sampled_from(["id", "metric", "score", "scale", "comment", "ticket", "respondent", "account"]),
            json_values,
        ),
    },
)


def test_any_bytes_are_taken_ignored_with_a_reason_or_refused() -> None:
    bodies: list[bytes] = []

    @settings(max_examples=examples(100), database=None)
    @given(body=st.binary(max_size=300) | (json_values | near_misses).map(lambda value: json.dumps(value).encode()))
    def drawn(body: bytes) -> None:
        bodies.append(body)

    async def story() -> None:
        async with running_ingest("hmac") as ingest:
            for body in bodies:
                answer = await deliver_bytes(ingest, body)
                assert answer.status_code in (202, 200, 422), body
                if answer.status_code == 200:
                    assert answer.json()["reason"], body
                if answer.status_code == 422:
                    assert answer.json()["dead_letter_id"], body

    drawn()
    asyncio.run(story())


async def test_accounts_need_the_admin_token_and_hooks_do_not() -> None:
    async with running_ingest("hmac") as ingest:
        assert (await ingest.http.put("/v1/accounts/acme", json={})).status_code == 401
        assert (
            await ingest.http.put("/v1/accounts/acme", json={}, headers={"authorization": f"Bearer {ADMIN}"})
        ).is_success
