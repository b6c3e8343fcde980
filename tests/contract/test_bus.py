"""What every bus promises (shared/bus/base.py), told to the SQLite log and to Kafka alike."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from shared.bus.base import MAX_MESSAGE_BYTES, Partition, Topic
from shared.bus.consumer import ConsumerLoop
from shared.bus.limits import RecordTooLarge
from shared.clock import SystemClock
from shared.errors import BusUnavailable, ConfigurationError
from shared.events.envelope import Message, Record
from tests.support.buses import OUTAGE_PATIENCE, BusHome, after, joined, read
from tests.support.waiting import until

NOTHING_COMES = timedelta(milliseconds=300)


def numbered(topic: str, numbers: range, keys: int = 5) -> list[Record]:
    return [Record(topic, f"key-{n % keys}".encode(), str(n).encode()) for n in numbers]


def values(messages: Sequence[Message]) -> list[int]:
    return [int(message.value or b"-1") for message in messages]


async def test_g1_what_was_acknowledged_is_there_for_the_next_process(bus_home: BusHome) -> None:
    bus_home.needs_exact_ends()
    first = await bus_home.open()
    topic = await bus_home.topic(first)
    await first.publish(numbered(topic, range(100)))
    await first.stop()

    second = await bus_home.open()
    assert sorted(values([message async for message in second.scan(topic)])) == list(range(100))


async def test_messages_come_back_whole(bus_home: BusHome) -> None:
    bus_home.needs_exact_ends()
    bus = await bus_home.open()
    topic = await bus_home.topic(bus)
    started = datetime.now(UTC)
    sent = [
        Record(
            topic, "schlüssel-ключ-🔑".encode(), "دعم 👩‍💻 \x00 <!channel>".encode(), (("ce_id", b"1"), ("ce_id", b"2"))
        ),
        Record(topic, b"empty", b"", (("name", "größe".encode()), ("none", b""))),
        Record(topic, b"tombstone", None),
        Record(topic, b"", b"no key"),
        Record(topic, b"big", bytes(range(256)) * 16000),
        Record(topic, b"biggest", b"x" * (MAX_MESSAGE_BYTES - len(b"biggest"))),
    ]
    await bus.publish(sent)

    async with joined(bus, bus_home.name("group"), topic) as consumer:
        for messages in (await read(consumer, len(sent)), [message async for message in bus.scan(topic)]):
            back = {message.key: message for message in messages}
            assert [Record(topic, m.key, m.value, m.headers) for m in map(back.get, [s.key for s in sent]) if m] == sent
            assert all(started - timedelta(seconds=1) < m.time <= datetime.now(UTC) for m in messages)


async def test_messages_of_one_key_stay_in_order(bus_home: BusHome) -> None:
    bus = await bus_home.open()
    topic = await bus_home.topic(bus)

    async def one_after_the_other(key: int) -> None:
        for n in range(20):
            await bus.publish([Record(topic, f"key-{key}".encode(), str(n).encode())])

    await asyncio.gather(*(one_after_the_other(key) for key in range(8)))
    async with joined(bus, bus_home.name("group"), topic) as consumer:
        by_key: defaultdict[bytes, list[int]] = defaultdict(list)
        for message in await read(consumer, 160):
            by_key[message.key].append(int(message.value or b"-1"))
    assert list(by_key.values()) == [list(range(20))] * 8


async def test_one_publish_of_many_records_keeps_their_order(bus_home: BusHome) -> None:
    bus_home.needs_exact_ends()
    bus = await bus_home.open()
    topic = await bus_home.topic(bus)
    await bus.publish([])
    await bus.publish(numbered(topic, range(3000), keys=1))
    assert values([message async for message in bus.scan(topic)]) == list(range(3000))


async def test_a_new_group_begins_at_the_oldest_message_and_goes_on_where_it_committed(bus_home: BusHome) -> None:
    bus, group = await bus_home.open(), bus_home.name("group")
    topic = await bus_home.topic(bus)
    await bus.publish(numbered(topic, range(30)))
    async with joined(bus, group, topic) as consumer:
        messages = await read(consumer, 30)
        done = [message for message in messages if message.offset < 5]
        await consumer.commit(after(done))
    await bus.stop()

    again = await bus_home.open()
    async with joined(again, group, topic) as consumer:
        rest = await read(consumer, 30 - len(done))
    assert sorted(values(done) + values(rest)) == list(range(30))


async def test_g3_leaving_without_commit_hands_the_messages_out_again(bus_home: BusHome) -> None:
    bus, group = await bus_home.open(), bus_home.name("group")
    topic = await bus_home.topic(bus)
    await bus.publish(numbered(topic, range(10)))
    for _ in range(2):
        async with joined(bus, group, topic) as consumer:
            assert sorted(values(await read(consumer, 10))) == list(range(10))


async def test_groups_do_not_share_offsets(bus_home: BusHome) -> None:
    bus = await bus_home.open()
    topic = await bus_home.topic(bus)
    await bus.publish(numbered(topic, range(10)))
    for group in ("one", "two"):
        async with joined(bus, bus_home.name(group), topic) as consumer:
            messages = await read(consumer, 10)
            assert sorted(values(messages)) == list(range(10))
            await consumer.commit(after(messages))


async def test_a_waiting_consumer_is_woken_at_once(bus_home: BusHome) -> None:
    bus = await bus_home.open()
    topic = await bus_home.topic(bus)
    async with joined(bus, bus_home.name("group"), topic) as consumer:
        await consumer.fetch(10, NOTHING_COMES)
        waiting = asyncio.create_task(consumer.fetch(10, timedelta(seconds=20)))
        await bus.publish(numbered(topic, range(1)))
        (messages,) = (await asyncio.wait_for(waiting, 5)).values()
        assert values(messages) == [0]


async def test_fetch_hands_out_no_more_than_asked_for_and_forgets_nothing(bus_home: BusHome) -> None:
    bus = await bus_home.open()
    topic = await bus_home.topic(bus)
    await bus.publish(numbered(topic, range(50)))
    async with joined(bus, bus_home.name("group"), topic) as consumer:
        found: list[Message] = []
        while len(found) < 50:
            batches = (await consumer.fetch(7, timedelta(seconds=10))).values()
            assert 0 < sum(map(len, batches)) <= 7
            found += [message for batch in batches for message in batch]
    assert sorted(values(found)) == list(range(50))


async def test_a_paused_partition_hands_out_nothing_until_it_is_resumed(bus_home: BusHome) -> None:
    bus = await bus_home.open()
    topic = await bus_home.topic(bus, partitions=2)
    async with joined(bus, bus_home.name("group"), topic) as consumer:
        await until(lambda: len(consumer.assignment()) == 2)
        paused = Partition(topic, 0)
        consumer.pause([paused])
        await bus.publish(numbered(topic, range(20), keys=20))
        others = await read(consumer, 1)
        assert await consumer.fetch(100, NOTHING_COMES) == {}
        assert {message.partition for message in others} == {1}

        consumer.resume([paused, Partition(topic, 99)])
        rest = await read(consumer, 20 - len(others))
    assert sorted(values(others + rest)) == list(range(20))


async def test_seek_goes_back_and_forward(bus_home: BusHome) -> None:
    bus = await bus_home.open()
    topic = await bus_home.topic(bus, partitions=1)
    await bus.publish(numbered(topic, range(10)))
    async with joined(bus, bus_home.name("group"), topic) as consumer:
        assert values(await read(consumer, 10)) == list(range(10))
        consumer.seek(Partition(topic, 0), 7)
        assert values(await read(consumer, 3)) == [7, 8, 9]
        consumer.seek(Partition(topic, 0), 2)
        assert values(await read(consumer, 8)) == list(range(2, 10))
        consumer.seek(Partition(topic, 5), 1)  # not ours: passed over


async def test_lag_counts_what_has_not_been_read(bus_home: BusHome) -> None:
    bus_home.needs_exact_ends()
    bus = await bus_home.open()
    topic = await bus_home.topic(bus, partitions=1)
    await bus.publish(numbered(topic, range(10)))
    async with joined(bus, bus_home.name("group"), topic) as consumer:
        assert await consumer.lag() == {Partition(topic, 0): 10}
        await consumer.fetch(4, timedelta(seconds=10))
        assert await consumer.lag() == {Partition(topic, 0): 6}


async def test_scan_reads_what_exists_and_an_unknown_topic_is_empty(bus_home: BusHome) -> None:
    bus_home.needs_exact_ends()
    bus = await bus_home.open()
    topic = await bus_home.topic(bus)
    assert [message async for message in bus.scan(topic)] == []
    await bus.publish(numbered(topic, range(1200)))
    assert sorted(values([message async for message in bus.scan(topic)])) == list(range(1200))
    assert [message async for message in bus.scan(bus_home.name("unknown"))] == []


async def test_publishing_to_an_unknown_topic_says_what_to_do(bus_home: BusHome) -> None:
    bus = await bus_home.open()
    with pytest.raises(ConfigurationError, match="ensure_topics"):
        await bus.publish(numbered(bus_home.name("unknown"), range(1)))


async def test_a_record_over_the_limit_is_refused_and_the_others_go_on(bus_home: BusHome) -> None:
    bus = await bus_home.open()
    topic = await bus_home.topic(bus)
    with pytest.raises(RecordTooLarge):
        await bus.publish([Record(topic, b"k", b"1"), Record(topic, b"k", b"x" * (MAX_MESSAGE_BYTES + 1))])
    await bus.publish([Record(topic, b"k", b"2")])
    assert [message.value async for message in bus.scan(topic)] == [b"2"]


async def test_ensuring_topics_again_changes_nothing(bus_home: BusHome) -> None:
    bus_home.needs_exact_ends()
    bus = await bus_home.open()
    topic = await bus_home.topic(bus, partitions=2)
    await bus.publish(numbered(topic, range(10)))
    await bus.ensure_topics([Topic(topic, partitions=9)])
    await bus.publish(numbered(topic, range(10, 200), keys=100))
    messages = [message async for message in bus.scan(topic)]
    assert sorted(values(messages)) == list(range(200))
    assert {message.partition for message in messages} == {0, 1}


async def test_a_commit_of_somebody_elses_partition_is_passed_over(bus_home: BusHome) -> None:
    bus, group = await bus_home.open(), bus_home.name("group")
    topic = await bus_home.topic(bus, partitions=1)
    await bus.publish(numbered(topic, range(3)))
    async with joined(bus, group, topic) as consumer:
        await consumer.commit({Partition(topic, 7): 3})
        assert values(await read(consumer, 3)) == [0, 1, 2]


async def test_g1_an_outage_is_an_error_and_not_a_loss(bus_home: BusHome) -> None:
    bus_home.needs_exact_ends()
    bus = await bus_home.open(patience=OUTAGE_PATIENCE)
    topic = await bus_home.topic(bus)
    await bus.publish(numbered(topic, range(5)))
    refused = 0
    with bus_home.outage():
        for attempt in await asyncio.gather(
            *(bus.publish(numbered(topic, range(100, 101))) for _ in range(5)), return_exceptions=True
        ):
            assert isinstance(attempt, BusUnavailable)
            refused += 1
    assert refused == 5

    await _published_at_last(bus, numbered(topic, range(5, 10)))
    seen = Counter(values([message async for message in bus.scan(topic)]))
    assert [n for n in range(10) if seen[n] == 0] == []
    await bus.ping()


async def _published_at_last(bus: object, records: list[Record]) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await bus.publish(records)  # type: ignore[attr-defined]
            except BusUnavailable:
                await asyncio.sleep(0.1)
            else:
                return


async def test_g3_members_come_and_go_while_events_flow_and_each_is_handled_once(bus_home: BusHome) -> None:
    bus, group = await bus_home.open(), bus_home.name("group")
    topic = await bus_home.topic(bus, partitions=6)
    handled: Counter[int] = Counter()
    by_member: defaultdict[int, int] = defaultdict(int)
    published = 0
    flowing = asyncio.Event()
    flowing.set()

    async def flow() -> None:
        nonlocal published
        while flowing.is_set():
            await bus.publish(numbered(topic, range(published, published + 5), keys=50))
            published += 5
            await asyncio.sleep(0.005)

    def member(number: int) -> tuple[asyncio.Task[None], asyncio.Event]:
        async def handle(messages: Sequence[Message]) -> None:
            await asyncio.sleep(0.002)
            handled.update(values(messages))
            by_member[number] += len(messages)

        stop = asyncio.Event()
        loop = ConsumerLoop(bus, group, [topic], handle, SystemClock(), max_records=50)
        return asyncio.create_task(loop.run(stop)), stop

    flowing_task = asyncio.create_task(flow())
    members = [member(1)]
    await until(lambda: by_member[1] > 100)
    members += [member(2), member(3)]
    await until(lambda: by_member[2] > 100 and by_member[3] > 100, within=40)
    task, stop = members.pop(0)
    stop.set()
    await task
    left_at = {number: by_member[number] for number in (2, 3)}
    await until(lambda: all(by_member[number] > left_at[number] + 100 for number in (2, 3)), within=40)
    flowing.clear()
    await flowing_task
    await until(lambda: len(handled) == published, within=40)
    for task, stop in members:
        stop.set()
        await task
    assert set(handled) == set(range(published))
    assert [number for number, times in handled.items() if times > 1] == []
