"""What ingest hears of each source: counted by minute and reason, told once, kept while the log is down."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from services.ingest.guides import GUIDES
from services.ingest.hearing import ANNOUNCE_EVERY, Hearing
from services.ingest.sources import BY_NAME, SOURCES
from services.ingest.trial import try_body
from services.ingest.vendors import VENDORS
from shared.clock import ManualClock
from shared.errors import BusUnavailable
from shared.policy import Policy
from tests.support.ingest import NOW, FakeLog, running_ingest, secret_of
from tests.support.payloads import HOME, samples
from tests.support.signing import sign

TOPIC = "sources.heard"
SAMPLE = next(one for one in samples("zendesk") if "csat_received" in one.file)


def told(log: FakeLog) -> list[dict[str, Any]]:
    return [json.loads(record.value or b"") for record in log.of(TOPIC)]


async def test_deliveries_are_counted_by_what_became_of_them() -> None:
    async with running_ingest("zendesk", now=SAMPLE.at) as ingest:
        good = sign("zendesk", SAMPLE.body, secret_of("zendesk"), SAMPLE.at)
        bad = sign("zendesk", SAMPLE.body, "foreign", SAMPLE.at)
        odd = b'{"type": "zen:event-type:ticket.tags_changed"}'
        wrong = SAMPLE.body.replace(b'"GOOD"', b"77")
        deliveries = [
            (SAMPLE.body, good),
            (SAMPLE.body, bad),
            (odd, sign("zendesk", odd, secret_of("zendesk"), SAMPLE.at)),
            (wrong, sign("zendesk", wrong, secret_of("zendesk"), SAMPLE.at)),
        ]
        for body, headers in deliveries:
            await ingest.http.post("/v1/webhooks/zendesk", content=body, headers=headers)
        await ingest.http.post("/v1/webhooks/zendesk?dry_run=true", content=SAMPLE.body, headers=good)
        stop = asyncio.Event()
        stop.set()
        (hearing,) = [loop for loop in ingest.service.loops if loop.name == "hearing"]
        await hearing.run(stop)
        (heard,) = told(ingest.log)
    assert heard["accepted"] == 1
    assert sum(heard["ignored"].values()) == 1
    assert heard["rejected"] == {"signature": 1, "score outside its scale": 1}
    assert heard["lag_count"] == 1
    assert "breaker" in heard["about"]["rule"]


async def test_what_the_log_could_not_take_is_told_later_and_nothing_twice() -> None:
    log, clock = FakeLog(down=True), ManualClock(NOW)
    hearing = Hearing(log, clock, {})  # type: ignore[arg-type]
    hearing.rejected("zendesk", "signature")
    with pytest.raises(BusUnavailable):
        await hearing.tell()
    log.down = False
    clock.advance(timedelta(minutes=2))
    hearing.rejected("zendesk", "signature")
    await hearing.tell()
    await hearing.tell()
    assert [one["rejected"] for one in told(log)] == [{"signature": 1}, {"signature": 1}]
    assert len({one["minute"] for one in told(log)}) == 2
    assert len({one["seq"] for one in told(log)}) == 2


async def test_a_source_nothing_is_heard_of_is_announced_now_and_then() -> None:
    log, clock = FakeLog(), ManualClock(NOW)
    hearing = Hearing(log, clock, {"zendesk": {"credentials": False}})  # type: ignore[arg-type]
    await hearing.tell()
    await hearing.tell()
    assert len(told(log)) == 1
    clock.advance(ANNOUNCE_EVERY)
    await hearing.tell()
    assert [one["accepted"] for one in told(log)] == [0, 0]


def test_reasons_cannot_grow_without_bound() -> None:
    hearing = Hearing(FakeLog(), ManualClock(NOW), {})  # type: ignore[arg-type]
    for number in range(1000):
        hearing.ignored("zendesk", f"{number} " * 1000)
    ((_, minute),) = hearing._minutes.items()
    assert len(minute.ignored) <= 21
    assert sum(minute.ignored.values()) == 1000


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_every_source_has_a_guide_an_administrator_can_follow(source: Any) -> None:
    guide = GUIDES[source.name]
    assert any("{url}" in step for step in guide.steps)
    assert guide.rule
    assert guide.switch_on


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
def test_every_vendor_api_has_words_on_where_its_token_comes_from(vendor: Any) -> None:
    assert vendor.name in BY_NAME
    assert GUIDES[vendor.name].api


@pytest.mark.parametrize("name", [name for name, guide in GUIDES.items() if "{{" in (guide.template_text() or "")])
def test_a_template_filled_in_is_a_body_its_source_takes(name: str) -> None:
    template = GUIDES[name].template_text() or ""
    filled = template
    for placeholder, value in (
        ("{{satisfaction.current_rating}}", "Bad, I'm unsatisfied"),
        ("{{ticket.status}}", "closed"),
        ("{{ticket.satisfaction_survey.score}}", "2"),
        ("{{ticket.satisfaction_survey.id}}", "12"),
        ("{{ticket.id}}", "51"),
        ("{{ticket.requester.email}}", "dora@acme.example"),
        ("{{ticket.customer.email}}", "dora@acme.example"),
    ):
        filled = filled.replace(placeholder, value)
    while "{{" in filled:
        start, end = filled.index("{{"), filled.index("}}") + 2
        filled = filled[:start] + filled[end:]
    tried = try_body(name, filled.encode(), {}, Policy(), NOW)
    assert tried.outcome == "accept", tried.reason
    assert tried.events[0]["ticket_id"] == "51"
    assert tried.events[0]["requester_email"] == "dora@acme.example"


def test_a_trial_says_what_becomes_of_a_body_and_why_not() -> None:
    body = (HOME / "zendesk" / SAMPLE.file).read_bytes()
    good = try_body("zendesk", body, {}, Policy(), NOW)
    assert (good.taken, good.outcome, good.events[0]["metric"]) == (True, "accept", "csat")
    bad = try_body("zendesk", b"{", {}, Policy(), NOW)
    assert (bad.taken, bad.outcome) == (False, "422")
    assert "JSON" in (bad.reason or "")
    foreign = try_body("salesforce", b"not xml", {"content-type": "text/csv"}, Policy(), NOW)
    assert foreign.taken is False
