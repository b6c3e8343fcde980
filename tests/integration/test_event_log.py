"""What only the SQLite log has: a file that survives kill -9, is shared with other processes, tidied and copied."""

import asyncio
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.embedded.backup import restore_backup, write_backup
from services.embedded.files import EmbeddedFiles
from shared.bus.base import Bus, Partition, Topic
from shared.bus.eventlog import SqliteEventLog
from shared.clock import ManualClock, SystemClock
from shared.errors import BusUnavailable
from shared.events.envelope import Record
from tests.support.buses import EmbeddedHome, after, joined, read
from tests.support.examples import examples

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ACCOUNTS = Topic("accounts", partitions=1, compacted=True)
FEEDBACK = Topic("feedback", partitions=2, retention=timedelta(days=30))

PUBLISHER = """
import asyncio, sys
from pathlib import Path
from shared.bus.base import Topic
from shared.bus.eventlog import SqliteEventLog
from shared.clock import SystemClock
from shared.events.envelope import Record

async def one_after_the_other(bus, client):
    n = 0
    while True:
        await bus.publish([Record("feedback", f"{client}".encode(), f"{client}-{n}".encode())])
        print(f"{client}-{n}", flush=True)
        n += 1

async def main():
    bus = SqliteEventLog(Path(sys.argv[1]), SystemClock())
    await bus.start()
    await bus.ensure_topics([Topic("feedback")])
    await asyncio.gather(*(one_after_the_other(bus, client) for client in range(8)))

asyncio.run(main())
"""


async def contents(bus: Bus, topic: str) -> list[bytes | None]:
    return [message.value async for message in bus.scan(topic)]


def in_another_process(program: str, path: Path) -> "subprocess.Popen[str]":
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )


async def test_g1_kill_9_loses_nothing_that_was_acknowledged(embedded_home: EmbeddedHome) -> None:
    process = in_another_process(PUBLISHER, embedded_home.path)
    assert process.stdout is not None
    acknowledged = [process.stdout.readline().strip() for _ in range(300)]
    process.send_signal(signal.SIGKILL)
    acknowledged += [line.strip() for line in process.stdout if line.endswith("\n")]
    process.wait()
    process.stdout.close()

    bus = await embedded_home.open()
    stored = [(value or b"").decode() for value in await contents(bus, "feedback")]
    assert set(acknowledged) <= set(stored)
    assert len(stored) == len(set(stored))
    await bus.publish([Record("feedback", b"k", b"the log goes on")])


async def test_what_another_process_publishes_is_handed_out_soon(embedded_home: EmbeddedHome) -> None:
    bus = await embedded_home.open()
    topic = await embedded_home.topic(bus)
    other = await embedded_home.open()
    async with joined(bus, "group", topic) as consumer:
        await other.publish([Record(topic, b"k", b"from the command line")])
        (message,) = await read(consumer, 1, within=5)
        await bus.publish([Record(topic, b"k", b"from here")])
        await other.publish([Record(topic, b"k", b"and there")])
        rest = await read(consumer, 2, within=5)
    assert [m.value for m in (message, *rest)] == [b"from the command line", b"from here", b"and there"]
    assert [m.offset for m in (message, *rest)] == [0, 1, 2]


async def test_topics_made_by_another_process_get_their_readers(embedded_home: EmbeddedHome) -> None:
    bus, other = await embedded_home.open(), await embedded_home.open()
    consumer = bus.consumer("group", ["later"])
    await consumer.start()
    await other.ensure_topics([Topic("later", partitions=2)])
    await other.publish([Record("later", b"k", b"v")])
    assert [message.value for message in await read(consumer, 1, within=5)] == [b"v"]


async def test_a_second_process_may_not_consume_while_the_first_does(embedded_home: EmbeddedHome) -> None:
    bus, other = await embedded_home.open(), await embedded_home.open()
    topic = await embedded_home.topic(bus)
    async with joined(bus, "group", topic):
        second = other.consumer("group", [topic])
        with pytest.raises(BusUnavailable, match="another process already consumes"):
            await second.start()
    await bus.stop()
    async with joined(other, "group", topic):
        pass


async def test_a_full_disk_is_an_error_that_passes(embedded_home: EmbeddedHome) -> None:
    bus = await embedded_home.open()
    topic = await embedded_home.topic(bus)
    await bus.publish([Record(topic, b"k", b"before")])
    with _no_file_over(256 * 1024), pytest.raises(BusUnavailable):
        await _publish_much(bus, topic)
    await bus.publish([Record(topic, b"k", b"after")])
    stored = await contents(bus, topic)
    assert (stored[0], stored[-1]) == (b"before", b"after")


async def _publish_much(bus: Bus, topic: str) -> None:
    for _ in range(50):
        await bus.publish([Record(topic, b"k", b"x" * 50_000)])


@contextmanager
def _no_file_over(size: int) -> Iterator[None]:
    """As on a full disk, writes beyond fail."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


async def test_a_file_that_is_no_database_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(BusUnavailable, match="the event log"):
        await SqliteEventLog(path, SystemClock()).start()


async def test_the_file_is_for_its_owner_only(embedded_home: EmbeddedHome) -> None:
    bus = await embedded_home.open()
    await bus.ensure_topics([FEEDBACK])
    for path in embedded_home.path.parent.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path.name


class TestRetention:
    async def test_old_messages_go_and_readers_go_on(self, embedded_home: EmbeddedHome) -> None:
        clock = ManualClock(START)
        bus = await embedded_home.open(clock)
        assert isinstance(bus, SqliteEventLog)
        await bus.ensure_topics([FEEDBACK, ACCOUNTS])
        await bus.publish([Record("feedback", b"%d" % n, b"old") for n in range(50)])
        await bus.publish([Record("accounts", b"acme", b"kept for ever")])
        clock.advance(timedelta(days=20))
        await bus.publish([Record("feedback", b"%d" % n, b"young") for n in range(50)])
        async with joined(bus, "group", "feedback") as consumer:
            first = await consumer.fetch(1, timedelta(seconds=5))
            clock.advance(timedelta(days=11))
            await bus.apply_retention([FEEDBACK, ACCOUNTS])
            assert await contents(bus, "feedback") == [b"young"] * 50
            assert await contents(bus, "accounts") == [b"kept for ever"]
            assert len(first) == 1
            assert {message.value for message in await read(consumer, 50)} == {b"young"}

    async def test_positions_are_never_used_twice(self, embedded_home: EmbeddedHome) -> None:
        clock = ManualClock(START)
        bus = await embedded_home.open(clock)
        assert isinstance(bus, SqliteEventLog)
        await bus.ensure_topics([FEEDBACK])
        await bus.publish([Record("feedback", b"k", b"1"), Record("feedback", b"k", b"2")])
        clock.advance(timedelta(days=31))
        await bus.apply_retention([FEEDBACK])
        await bus.publish([Record("feedback", b"k", b"3")])
        assert [(message.offset, message.value) async for message in bus.scan("feedback")] == [(2, b"3")]

    async def test_compaction_keeps_the_newest_of_each_key(self, embedded_home: EmbeddedHome) -> None:
        clock = ManualClock(START)
        bus = await embedded_home.open(clock)
        assert isinstance(bus, SqliteEventLog)
        await bus.ensure_topics([ACCOUNTS])
        for version in range(3):
            await bus.publish([Record("accounts", key, b"%d" % version) for key in (b"acme", b"globex")])
        await bus.publish([Record("accounts", b"globex", None)])
        await bus.apply_retention([ACCOUNTS])
        assert await contents(bus, "accounts") == [b"2", None]
        clock.advance(timedelta(days=8))
        await bus.apply_retention([ACCOUNTS])
        assert await contents(bus, "accounts") == [b"2"]
        async with joined(bus, "group", "accounts") as consumer:
            assert [message.value for message in await read(consumer, 1)] == [b"2"]
            assert await consumer.lag() == {Partition("accounts", 0): 0}


async def test_a_backup_made_while_events_flow_is_a_whole_log(embedded_home: EmbeddedHome, tmp_path: Path) -> None:
    bus = await embedded_home.open()
    await bus.ensure_topics([FEEDBACK])
    await bus.publish([Record("feedback", b"%d" % n, b"before") for n in range(500)])
    flowing = asyncio.create_task(_flow(bus))
    archive, copy_path = tmp_path / "backup.tar.gz", tmp_path / "elsewhere/events.db"
    await asyncio.to_thread(write_backup, EmbeddedFiles(None, embedded_home.path), archive, START)
    flowing.cancel()
    await asyncio.gather(flowing, return_exceptions=True)

    restore_backup(archive, EmbeddedFiles(None, copy_path), START, force=False)
    copy = SqliteEventLog(copy_path, SystemClock())
    await copy.start()
    stored = await contents(copy, "feedback")
    await copy.publish([Record("feedback", b"k", b"after")])
    await copy.stop()
    assert stored.count(b"before") == 500


async def test_opening_the_log_again_ends_no_lock_on_it(embedded_home: EmbeddedHome) -> None:
    """Without its lock another process would take itself for the last one, and clear the write-ahead log away."""
    bus = await embedded_home.open()
    await bus.ensure_topics([FEEDBACK])
    await embedded_home.open()
    await bus.publish([Record("feedback", b"k", b"v")])
    file = str(embedded_home.path)
    visit = f"import sqlite3; c = sqlite3.connect({file!r}); c.execute('SELECT 1 FROM messages').fetchone(); c.close()"
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", visit], check=True)
    assert Path(f"{file}-wal").exists()


async def _flow(bus: Bus) -> None:
    while True:
        await bus.publish([Record("feedback", b"k", b"during")])


steps = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.lists(st.sampled_from("abc"), min_size=1, max_size=5)),
        st.tuples(st.just("read and commit"), st.integers(1, 4)),
        st.tuples(st.just("read and crash"), st.integers(1, 4)),
        st.tuples(st.just("restart"), st.none()),
    ),
    max_size=12,
)


@settings(max_examples=examples(15))
@given(story=steps)
def test_g3_whatever_happens_each_key_is_read_in_order_and_nothing_is_missing(
    tmp_path_factory: pytest.TempPathFactory, story: Sequence[tuple[str, object]]
) -> None:
    asyncio.run(_live_through(tmp_path_factory.mktemp("log") / "events.db", story))


async def _live_through(path: Path, story: Sequence[tuple[str, object]]) -> None:
    published: list[tuple[bytes, int]] = []
    committed: list[tuple[bytes, int]] = []
    bus = SqliteEventLog(path, SystemClock())
    await bus.start()
    await bus.ensure_topics([FEEDBACK])

    async def consume(count: int, commit: bool) -> None:
        async with joined(bus, "group", "feedback") as consumer:
            for messages in (await consumer.fetch(count, timedelta(0))).values():
                if commit:
                    await consumer.commit(after(messages))
                    committed.extend((message.key, int(message.value or b"0")) for message in messages)

    for step, detail in [*story, ("read and commit", 1000), ("read and commit", 1000)]:
        if step == "publish":
            assert isinstance(detail, list)
            records = [(key.encode(), len(published) + i) for i, key in enumerate(detail)]
            await bus.publish([Record("feedback", key, str(n).encode()) for key, n in records])
            published += records
        elif step == "restart":
            await bus.stop()
            bus = SqliteEventLog(path, SystemClock())
            await bus.start()
        else:
            assert isinstance(detail, int)
            await consume(detail, commit=step == "read and commit")
    await bus.stop()
    assert sorted(committed) == sorted(published)
    for key in (b"a", b"b", b"c"):
        numbers = [n for k, n in committed if k == key]
        assert numbers == sorted(numbers)
