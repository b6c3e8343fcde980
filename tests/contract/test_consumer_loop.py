"""G3 as the loop keeps it: offsets follow effects, outages are waited out, poison dies alone, the fuse holds."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.bus import consumer, dead_letters
from shared.bus.base import Bus, Topic
from shared.bus.consumer import ConsumerLoop
from shared.bus.fuse import Fuse
from shared.bus.retry import Backoff
from shared.clock import Clock, ManualClock, SystemClock
from shared.errors import CloseloopError, ConfigurationError, DatabaseUnavailable, PoisonError
from shared.events.catalog import dead
from shared.events.envelope import Event, Message, to_record
from shared.observability import CONSUMER_LAG
from tests.support.buses import BusHome, EmbeddedHome, KafkaHome
from tests.support.waiting import until

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SECRET = "my boss is a crook"


class Effects:
    """A handler whose database can be down and whose code can have bugs; its effects are what it has written."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.down = False
        self.attempts = 0
        self.poison: dict[str, Exception] = {}
        self.bug: Exception | None = None
        self.gate: asyncio.Event | None = None

    async def handle(self, messages: Sequence[Message]) -> None:
        self.attempts += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.down:
            raise DatabaseUnavailable("the database does not answer")
        if self.bug is not None:
            raise self.bug
        texts = [(message.value or b"").decode() for message in messages]
        for text in texts:
            if text in self.poison:
                raise self.poison[text]
        self.written += texts


class Stage:
    """One consumer on one topic, and what a person operating it does."""

    def __init__(self, bus: Bus, topic: str, group: str, clock: Clock) -> None:
        self.bus, self.topic, self.group, self.clock = bus, topic, group, clock
        self.effects = Effects()
        self.fuse = Fuse()
        self.loop = self.new_loop()

    def new_loop(self) -> ConsumerLoop:
        return ConsumerLoop(self.bus, self.group, [self.topic], self.effects.handle, self.clock, fuse=self.fuse)

    async def publish(self, *texts: str, key: str = "k") -> None:
        await self.bus.publish([to_record(event(self.topic, key, text)) for text in texts])

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        stop = asyncio.Event()
        task = asyncio.create_task(self.loop.run(stop))
        try:
            yield
        finally:
            stop.set()
            await asyncio.wait_for(task, 20)

    async def turn(self, condition: Callable[[], Any], step: timedelta = timedelta(seconds=5)) -> None:
        """Turn the clock until the condition holds."""
        assert isinstance(self.clock, ManualClock)
        async with asyncio.timeout(20):
            while not condition():
                self.clock.advance(step)
                await asyncio.sleep(0.002)

    async def letters(self) -> list[dead_letters.DeadLetter]:
        return await dead_letters.list_dead(self.bus, self.topic)

    async def complaint(self) -> str:
        try:
            await self.loop.check()
        except CloseloopError as error:
            return str(error)
        return ""


def event(topic: str, key: str, text: str) -> Event:
    return Event(id=f"id-{text}", type="t", source="s", time=START, topic=topic, key=key, data=text.encode())


KEYS = "abcdefgh"
"""Enough for every partition to get some."""


async def publish_everywhere(stage: Stage, words: str = "on") -> None:
    for key in KEYS:
        await stage.publish(f"{words} {key}", key=key)


@asynccontextmanager
async def joined_by_another(stage: Stage) -> AsyncIterator[Stage]:
    """A second member of the group, while the first has a batch in hand."""
    await until(lambda: stage.effects.attempts == 1)
    second = Stage(stage.bus, stage.topic, stage.group, stage.clock)
    async with second.running():
        yield second


async def stage_on(home: BusHome, clock: Clock) -> Stage:
    bus = await home.open(clock)
    return Stage(bus, await home.topic(bus), home.name("group"), clock)


@pytest.fixture
async def stage(embedded_home: EmbeddedHome) -> Stage:
    return await stage_on(embedded_home, ManualClock(START))


def names(count: int) -> list[str]:
    return [f"m{number:03}" for number in range(count)]


async def test_g3_an_hours_outage_of_the_database_skips_nothing_and_evicts_nobody(stage: Stage) -> None:
    stage.effects.down = True
    await stage.publish(*names(40))
    async with stage.running():
        await stage.turn(lambda: stage.clock.now() - START > timedelta(hours=1))
        assert stage.effects.attempts > 100
        assert "DatabaseUnavailable" in await stage.complaint() or "does not answer" in await stage.complaint()
        stage.effects.down = False
        await stage.turn(lambda: stage.effects.written)
        await until(lambda: len(stage.effects.written) == 40)
        assert stage.effects.written == names(40)
        assert await stage.complaint() == ""
    assert await stage.letters() == []


@pytest.mark.kafka
async def test_g3_an_outage_longer_than_the_session_keeps_the_membership(kafka_home: KafkaHome) -> None:
    stage = await stage_on(kafka_home, SystemClock())
    stage.effects.down = True
    await stage.publish(*names(10))
    async with stage.running():
        await until(lambda: stage.effects.attempts)
        await asyncio.sleep(
            8
        )  # the session of this consumer times out after 6 s: there is no clock to turn in a broker
        stage.effects.down = False
        await until(lambda: stage.effects.written)
        await stage.publish("after")
        await until(lambda: "after" in stage.effects.written)
    assert stage.effects.written == [*names(10), "after"]


async def test_it_shows_how_much_is_not_handled_yet(bus_home: BusHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer, "LAG_EVERY_SECONDS", 0)
    monkeypatch.setattr(consumer, "PROMPT", timedelta(0))
    stage = await stage_on(bus_home, SystemClock())
    stage.effects.gate = asyncio.Event()
    shown = CONSUMER_LAG.labels(stage.group)._value
    await stage.publish(*names(8))
    stage.loop = ConsumerLoop(stage.bus, stage.group, [stage.topic], stage.effects.handle, stage.clock, max_records=2)
    async with stage.running():
        await until(lambda: shown.get() == 8)
        stage.effects.gate.set()
        await until(lambda: len(stage.effects.written) == 8)
        await until(lambda: shown.get() == 0)


async def test_a_backlog_is_worked_off_without_pauses(bus_home: BusHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer, "BREATH_SECONDS", 3600)
    stage = await stage_on(bus_home, SystemClock())
    stage.loop = ConsumerLoop(stage.bus, stage.group, [stage.topic], stage.effects.handle, stage.clock, max_records=2)
    await stage.publish(*names(8))
    async with stage.running():
        await until(lambda: stage.effects.written == names(8))


async def test_g3_other_partitions_go_on_while_one_waits(stage: Stage) -> None:
    stage.effects.poison["stuck"] = TimeoutError()
    async with stage.running():
        await stage.publish("stuck", key="a")
        await until(lambda: stage.effects.attempts > 0)
        await stage.publish("behind", key="a")
        for key in "bcdefgh":
            await stage.publish(f"on {key}", key=key)
        await until(lambda: len(stage.effects.written) >= 3)
        assert "behind" not in stage.effects.written
        stage.effects.poison.clear()
        await stage.turn(lambda: "behind" in stage.effects.written)
        assert stage.effects.written.index("stuck") < stage.effects.written.index("behind")


async def test_g3_one_poisoned_message_dies_alone_with_its_reason(bus_home: BusHome) -> None:
    stage = await stage_on(bus_home, SystemClock())
    stage.effects.poison["m007"] = PoisonError("score is missing")
    await stage.publish(*names(20))
    async with stage.running():
        await until(lambda: len(stage.effects.written) == 19)
    assert stage.effects.written == [name for name in names(20) if name != "m007"]

    (letter,) = await stage.letters()
    assert (letter.reason, letter.topic, letter.group) == ("score is missing", stage.topic, stage.group)
    assert (letter.kind, letter.value, letter.key) == ("message", b"m007", b"k")
    assert dict(letter.headers)["ce_id"] == b"id-m007"
    assert letter.message.header("dl_offset") == str(letter.offset)
    assert await dead_letters.find(stage.bus, letter.id) is None  # not among the topics of the catalog

    stage.effects.written.clear()
    stage.loop = stage.new_loop()
    async with stage.running():
        await stage.publish("next")
        await until(lambda: stage.effects.written)
    assert stage.effects.written == ["next"]


async def test_g11_the_reason_of_an_unknown_error_has_no_customer_text(stage: Stage) -> None:
    stage.effects.poison["bad"] = ValueError(f"cannot parse {SECRET!r}")
    await stage.publish("good", "bad")
    async with stage.running():
        await until(lambda: stage.effects.written)
        await stage.publish("more")
        await until(lambda: "more" in stage.effects.written)
    (letter,) = await stage.letters()
    assert letter.reason.startswith("ValueError in ")
    assert SECRET not in str(letter.message.headers)


async def test_g3_the_fuse_stops_before_everything_is_thrown_away_and_closes_when_it_works_again(stage: Stage) -> None:
    stage.effects.bug = KeyError("a bad deployment")
    await stage.publish(*names(60))
    async with stage.running():
        await until(lambda: stage.effects.attempts >= 21)
        await until(lambda: stage.fuse.blown)
        assert await stage.letters() == []
        complaint = await stage.complaint()
        assert "KeyError" in complaint
        assert "roll back" in complaint

        tried = stage.effects.attempts
        await stage.turn(lambda: stage.effects.attempts > tried)  # half open, and still broken
        assert await stage.complaint()
        assert stage.effects.written == []

        stage.effects.bug = None
        await stage.turn(lambda: stage.effects.written)
        await until(lambda: len(stage.effects.written) == 60)
    assert stage.effects.written == names(60)
    assert await stage.complaint() == ""
    assert await stage.letters() == []


async def test_g3_a_slow_trickle_of_poison_blows_the_fuse_too(stage: Stage) -> None:
    stage.effects.bug = KeyError("broken")
    async with stage.running():
        for number, name in enumerate(names(20), start=1):
            await stage.publish(name)
            await until(lambda count=number: stage.effects.attempts >= 2 * count)
        await until(lambda: stage.fuse.blown)
    assert [letter.value for letter in await stage.letters()] == [name.encode() for name in names(19)]


async def test_g3_many_bad_messages_among_good_ones_do_not_blow_the_fuse(stage: Stage) -> None:
    bad = {name for number, name in enumerate(names(100)) if number % 10}
    stage.effects.poison = dict.fromkeys(bad, PoisonError("bad"))
    await stage.publish(*names(100))
    async with stage.running():
        await until(lambda: len(stage.effects.written) == 10)
        await stage.publish("end")
        await until(lambda: "end" in stage.effects.written)
        assert await stage.complaint() == ""
    assert {(letter.value or b"").decode() for letter in await stage.letters()} == bad


async def test_a_good_message_behind_the_bad_ones_closes_the_fuse_half_open(stage: Stage) -> None:
    stage.effects.poison = dict.fromkeys(names(25), PoisonError("bad"))
    await stage.publish(*names(25))
    async with stage.running():
        await until(lambda: stage.fuse.blown)
        await stage.publish("good")
        await stage.turn(lambda: "good" in stage.effects.written)
        await until(lambda: not stage.fuse.blown)
    assert len(await stage.letters()) == 25


async def test_g3_stopping_finishes_the_batch_in_hand_and_commits_it(stage: Stage) -> None:
    stage.effects.gate = asyncio.Event()
    await stage.publish(*names(5))
    stop = asyncio.Event()
    task = asyncio.create_task(stage.loop.run(stop))
    await until(lambda: stage.effects.attempts == 1)
    stop.set()
    await asyncio.sleep(0)
    assert not task.done()
    stage.effects.gate.set()
    await asyncio.wait_for(task, 5)
    assert stage.effects.written == names(5)

    consumer = stage.bus.consumer(stage.group, [stage.topic])
    await consumer.start()
    assert set((await consumer.lag()).values()) == {0}
    await consumer.stop()


async def test_g3_what_was_in_hand_at_a_crash_comes_again(bus_home: BusHome) -> None:
    stage = await stage_on(bus_home, SystemClock())
    stage.effects.gate = asyncio.Event()
    await stage.publish(*names(5))
    task = asyncio.create_task(stage.loop.run(asyncio.Event()))
    await until(lambda: stage.effects.attempts == 1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert stage.effects.written == []

    stage.effects.gate = None
    stage.loop = stage.new_loop()
    async with stage.running():
        await until(lambda: len(stage.effects.written) == 5)
    assert stage.effects.written == names(5)


async def test_g3_stopping_during_an_outage_is_prompt_and_loses_nothing(stage: Stage) -> None:
    stage.effects.down = True
    await stage.publish(*names(5))
    async with stage.running():
        await until(lambda: stage.effects.attempts)
    stage.effects.down = False
    stage.loop = stage.new_loop()
    async with stage.running():
        await until(lambda: len(stage.effects.written) == 5)


async def test_g3_a_hand_over_waits_for_the_batch_in_hand(bus_home: BusHome) -> None:
    stage = await stage_on(bus_home, SystemClock())
    stage.effects.gate = asyncio.Event()
    await stage.publish(*names(30))
    await publish_everywhere(stage)
    async with stage.running(), joined_by_another(stage) as second:
        stage.effects.gate.set()
        await until(lambda: len(stage.effects.written + second.effects.written) >= 38)
    times = Counter(stage.effects.written + second.effects.written)
    assert set(times) == {*names(30), *(f"on {key}" for key in KEYS)}
    assert [name for name, count in times.items() if count > 1] == []


async def test_g3_a_batch_too_slow_for_a_hand_over_is_dropped_and_its_member_goes_on(
    bus_home: BusHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "REVOKE_PATIENCE", timedelta(milliseconds=50))
    stage = await stage_on(bus_home, SystemClock())
    gate = stage.effects.gate = asyncio.Event()
    await publish_everywhere(stage)
    async with stage.running():
        async with joined_by_another(stage) as second:
            await until(lambda: second.effects.written)
            gate.set()
            await until(lambda: len(stage.effects.written + second.effects.written) == 8)
        await publish_everywhere(stage, "later on")
        await until(lambda: sum(text.startswith("later") for text in stage.effects.written) == 8)
    written = stage.effects.written + second.effects.written
    assert sorted(written) == sorted(f"{words} {key}" for key in KEYS for words in ("on", "later on"))


async def test_a_letter_is_replayed_and_twice_is_the_same_event(stage: Stage) -> None:
    topic = "feedback.received"
    await stage.bus.ensure_topics([Topic(topic), dead(topic)])
    stage.topic = topic
    stage.loop = stage.new_loop()
    stage.effects.poison["bad"] = PoisonError("not yet understood")
    async with stage.running():
        await stage.publish("good", "bad")
        await until(lambda: stage.effects.written == ["good"])
        await stage.publish("more")
        await until(lambda: "more" in stage.effects.written)
        (letter,) = await dead_letters.list_dead(stage.bus)
        assert letter.replayed_at is None

        stage.effects.poison.clear()
        found = await dead_letters.find(stage.bus, letter.id[:8])
        assert found == letter
        await dead_letters.replay(stage.bus, letter)
        await dead_letters.replay(stage.bus, letter)
        await until(lambda: stage.effects.written == ["good", "more", "bad", "bad"])
    copies = [message async for message in stage.bus.scan(topic) if message.value == b"bad"]
    assert {message.header("ce_id") for message in copies} == {"id-bad"}
    assert {message.headers for message in copies[1:]} == {copies[0].headers}
    (listed,) = await dead_letters.list_dead(stage.bus, topic)
    assert listed.replayed_at is not None


async def test_a_replayed_letter_that_dies_again_is_a_letter_of_its_own(stage: Stage) -> None:
    stage.effects.poison["bad"] = PoisonError("never understood")
    async with stage.running():
        await stage.publish("bad")
        await until(lambda: stage.effects.attempts == 2)
        await stage.publish("good")
        await until(lambda: stage.effects.written)
        (letter,) = await stage.letters()
        await dead_letters.replay(stage.bus, letter)
        await until(lambda: stage.effects.attempts == 5)
        await stage.publish("end")
        await until(lambda: "end" in stage.effects.written)
    first, second = await stage.letters()
    assert first.id != second.id
    assert first.headers == second.headers


async def test_a_kept_webhook_is_listed_and_left_to_ingest(stage: Stage) -> None:
    await stage.bus.ensure_topics([dead(stage.topic)])
    record = dead_letters.of_webhook(
        topic=stage.topic,
        source="zendesk",
        body=b'{"rating": "?"}',
        headers=(("content-type", b"application/json"),),
        reason="rating is not one we know",
        at=START,
        letter_id="letter-1",
    )
    await stage.bus.publish([record, record])
    (letter,) = await stage.letters()
    assert (letter.kind, letter.source, letter.value) == ("webhook", "zendesk", b'{"rating": "?"}')
    with pytest.raises(ConfigurationError, match="translate"):
        await dead_letters.replay(stage.bus, letter)
    await dead_letters.mark_replayed(stage.bus, letter)
    assert (await stage.letters())[0].replayed_at is not None


async def test_the_loop_waits_for_a_log_that_is_not_there_yet(embedded_home: EmbeddedHome) -> None:
    stage = await stage_on(embedded_home, SystemClock())
    stage.loop = ConsumerLoop(
        stage.bus,
        stage.group,
        [stage.topic],
        stage.effects.handle,
        stage.clock,
        backoff=Backoff(first=timedelta(milliseconds=5), cap=timedelta(milliseconds=20)),
    )
    await stage.publish("early")
    with embedded_home.outage():
        stop = asyncio.Event()
        task = asyncio.create_task(stage.loop.run(stop))
        await asyncio.sleep(0.3)  # longer than the log's own patience
        assert stage.effects.written == []
    await until(lambda: stage.effects.written == ["early"])
    stop.set()
    await task


async def test_letters_outlive_an_outage_of_the_log(embedded_home: EmbeddedHome) -> None:
    stage = await stage_on(embedded_home, SystemClock())
    stage.effects.gate = asyncio.Event()
    stage.effects.poison["bad"] = PoisonError("bad")
    await stage.publish("bad", "good")
    async with stage.running():
        await until(lambda: stage.effects.attempts == 1)
        with embedded_home.outage():
            stage.effects.gate.set()
            await until(lambda: stage.effects.written == ["good"])
            await asyncio.sleep(0.3)
        await stage.publish("end")
        await until(lambda: "end" in stage.effects.written)
    assert [letter.value for letter in await stage.letters()] == [b"bad"]
