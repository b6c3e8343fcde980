"""The scoring service as it runs: responses come in on one topic and go out scored on another, on both buses."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from services.scoring.app import build
from shared.bus import dead_letters
from shared.bus.base import Bus
from shared.clock import SystemClock
from shared.events.catalog import (
    FEEDBACK_RECEIVED,
    FEEDBACK_SCORED,
    FeedbackScored,
    SurveyResponded,
    survey_responded,
)
from shared.events.envelope import Event, from_message, to_record
from shared.policy import Policy, parse_policy
from shared.runtime import Runtime, Service
from shared.settings import Settings
from tests.support.buses import BusHome, EmbeddedHome, joined, read

RECEIVED = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
decoder = msgspec.json.Decoder(FeedbackScored)


class Desk:
    """Customers who answer surveys, and what scoring says of them. Names are unique, since Kafka is shared."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.prefix = uuid.uuid4().hex[:8]

    def answer(self, name: str, metric: str, score: float | None, **more: Any) -> Event:
        record_id = f"{self.prefix}-{name}"
        fields = {"source": "zendesk", "unique_id": record_id, "record_id": record_id, "received_at": RECEIVED}
        return survey_responded(SurveyResponded(**fields, metric=metric, normalised_score=score, **more))

    async def publish(self, *answers: Event) -> None:
        await self.bus.publish([to_record(answer) for answer in answers])

    async def scored(self, count: int, within: float = 30) -> list[tuple[Event, FeedbackScored]]:
        """All that came out of our answers, once there are `count`."""
        found: list[tuple[Event, FeedbackScored]] = []
        async with asyncio.timeout(within), joined(self.bus, uuid.uuid4().hex, FEEDBACK_SCORED.name) as consumer:
            while len(found) < count:
                found += [
                    (from_message(message), decoder.decode(message.value or b""))
                    for message in await read(consumer, 1)
                    if self.prefix.encode() in message.key
                ]
        return found


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[None]:
    stop = asyncio.Event()
    tasks = [asyncio.create_task(loop.run(stop)) for loop in service.loops]
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 30)


async def open_desk(home: BusHome, policy: Policy | None = None) -> tuple[Desk, Service]:
    bus = await home.open()
    await bus.ensure_topics([FEEDBACK_RECEIVED, FEEDBACK_SCORED])
    return Desk(bus), build(Runtime(Settings(), policy or Policy(), SystemClock(), bus))


async def test_every_response_goes_on_flagged_or_not(bus_home: BusHome) -> None:
    desk, scoring = await open_desk(bus_home)
    answers = [
        desk.answer("bad", "csat", 1, comment="لا يعمل 👎"),
        desk.answer("good", "csat", 5),
        desk.answer("detractor", "nps", 6),
        desk.answer("promoter", "nps", 9),
        desk.answer("unscored", "none", None),
        desk.answer("taken back", "ces", 1, withdrawn=True),
    ]
    async with running(scoring):
        await desk.publish(*answers)
        scored = await desk.scored(len(answers))
    verdicts = {data.response.record_id.partition("-")[2]: [r.words for r in data.reasons] for _, data in scored}
    assert verdicts == {
        "bad": ["CSAT 1 of 5 is at or below 3"],
        "good": [],
        "detractor": ["NPS 6 of 10 is at or below 6"],
        "promoter": [],
        "unscored": [],
        "taken back": [],
    }
    assert all(data.flagged == bool(data.reasons) for _, data in scored)
    assert {event.id for event, _ in scored}.isdisjoint({answer.id for answer in answers})
    comments = {data.response.comment for _, data in scored}
    assert "لا يعمل 👎" in comments


async def test_g2_the_same_answer_twice_is_the_same_scored_event(bus_home: BusHome) -> None:
    desk, scoring = await open_desk(bus_home)
    answer = desk.answer("twice", "csat", 1)
    async with running(scoring):
        await desk.publish(answer)
        await desk.publish(answer)
        scored = await desk.scored(2)
    assert len({event.id for event, _ in scored}) == 1
    assert {event.key for event, _ in scored} == {answer.key}


async def test_g12_what_is_no_response_is_kept_with_the_reason_and_holds_nobody_up(embedded_home: EmbeddedHome) -> None:
    desk, scoring = await open_desk(embedded_home)
    good = desk.answer("good", "csat", 1)
    wrong = [
        msgspec.structs.replace(good, id="1", data=b"{not json"),
        msgspec.structs.replace(good, id="2", data=b'{"source": 7}'),
        msgspec.structs.replace(good, id="3", type="closeloop.case.changed"),
        msgspec.structs.replace(good, id="4", data=None),
    ]
    async with running(scoring):
        await desk.publish(wrong[0], wrong[1], good, *wrong[2:])
        await desk.scored(1)
        await until_async(desk, len(wrong))
    reasons = {letter.message.header("ce_id"): letter.reason for letter in await letters_of(desk)}
    assert set(reasons) == {"1", "2", "3", "4"}
    assert "$.source" in reasons["2"]
    assert "does not belong" in reasons["3"]


async def letters_of(desk: Desk) -> list[dead_letters.DeadLetter]:
    return await dead_letters.list_dead(desk.bus, FEEDBACK_RECEIVED.name)


async def until_async(desk: Desk, letters: int) -> None:
    async with asyncio.timeout(20):
        while len(await letters_of(desk)) < letters:
            await asyncio.sleep(0.02)


async def test_a_changed_policy_scores_a_replayed_answer_anew_under_the_same_id(embedded_home: EmbeddedHome) -> None:
    desk, scoring = await open_desk(embedded_home)
    answer = desk.answer("four stars", "csat", 4)
    async with running(scoring):
        await desk.publish(answer)
        ((first, lenient),) = await desk.scored(1)
    strict = parse_policy("[flag]\ncsat_at_most = 4")
    scoring = build(Runtime(Settings(), strict, SystemClock(), desk.bus))
    async with running(scoring):
        await desk.publish(answer)
        (_, (second, flagged)) = await desk.scored(2)
    assert (lenient.flagged, flagged.flagged) == (False, True)
    assert first.id == second.id
    assert lenient.policy_version != flagged.policy_version


async def test_a_late_answer_is_told_apart(embedded_home: EmbeddedHome) -> None:
    desk, scoring = await open_desk(embedded_home, parse_policy('[flag]\nignore_older_than = "7d"'))
    async with running(scoring):
        await desk.publish(desk.answer("late", "csat", 1, occurred_at=RECEIVED - timedelta(days=12)))
        ((_, data),) = await desk.scored(1)
    assert (data.flagged, data.late) == (True, True)
    assert data.reasons[-1].words == "recorded as late: answered 12 days before it reached us"


async def test_nothing_of_the_answer_is_lost_on_the_way(embedded_home: EmbeddedHome) -> None:
    desk, scoring = await open_desk(embedded_home)
    answer = desk.answer(
        "whole",
        "csat",
        2,
        raw_score="Bad",
        raw_scale={"type": "ordinal", "values": ["Bad", "Good"], "maps_to": [1, 5]},
        comment="x" * 100_000,
        account_hint={"domain": "acme.example", "nested": {"id": 7}},
        survey_id="s-1",
        ticket_id="42",
    )
    async with running(scoring):
        await desk.publish(answer)
        ((_, data),) = await desk.scored(1)
    assert data.response == msgspec.json.decode(answer.data or b"", type=SurveyResponded)
