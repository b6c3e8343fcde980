"""Watches over the sources: takes in what ingest heard, judges every source, and tells an administrator once."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import structlog
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.channels.base import Channel, Post, Reachable, Sent
from services.router.domain.messages import Message as Words
from services.router.domain.messages import Strong
from services.router.domain.rhythm import LEARN_FROM, Rhythm, learn
from services.router.domain.source_health import (
    ALARMS,
    WINDOW,
    Facts,
    SourceState,
    Verdict,
    judge,
    worth_telling,
)
from services.router.store import leases, responses, sources
from services.router.store.sources import Tally
from shared import ids
from shared.clock import Clock
from shared.db.engine import Database
from shared.errors import TransientError
from shared.events.catalog import SourceHeard
from shared.events.envelope import Message, decode_data, from_message
from shared.observability import SOURCE_ALARM
from shared.runtime import sleep_or_stop

log = structlog.get_logger(__name__)

LOOK_EVERY = timedelta(minutes=1)
LEARN_EVERY = timedelta(hours=1)
KEEP = timedelta(weeks=8)
KEEP_DELIVERIES = timedelta(days=100)
"""Longer than the log keeps what could come again (dead letters, 90 days)."""
LEASE, LEASE_FOR = "sources", timedelta(minutes=3)
_LINE = 300
_AT_ONCE = 2_000
_decoder = msgspec.json.Decoder(SourceHeard)


class SourcesHeard:
    """sources.heard -> rows, each event once."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def handle(self, messages: Sequence[Message]) -> None:
        """Raises PoisonError for what is no such event; DatabaseUnavailable when nothing was written."""
        events = [from_message(message) for message in messages]
        heard = {event.id: decode_data(event, _decoder) for event in events}
        async with self._database.transaction() as tx:
            fresh = await responses.unseen(tx, list(heard), self._clock.now())
            for event_id, one in heard.items():
                if event_id in fresh:
                    await sources.add_heard(tx, one)


class Watch:
    """One router at a time watches. `channel` None: nobody can be told but by log, metric and console."""

    def __init__(self, database: Database, clock: Clock, channel: Channel | None, administrator: str) -> None:
        self._database = database
        self._clock = clock
        self._channel = channel
        self._administrator = administrator
        self._name = ids.new_id()
        self._rhythms: dict[str, Rhythm | None] = {}
        self._learned_at: datetime | None = None

    async def run(self, stop: asyncio.Event) -> None:
        # After a pause of all of us ingest must have its say first.
        await sleep_or_stop(self._clock, LOOK_EVERY, stop)
        while not stop.is_set():
            try:
                await self.look()
            except TransientError as error:
                log.warning("sources_not_looked_at", why=str(error))
            await sleep_or_stop(self._clock, LOOK_EVERY, stop)

    async def look(self) -> None:
        """Judge every source, and tell what has changed."""
        now = self._clock.now()
        async with self._database.transaction() as tx:
            if not await leases.hold(tx, LEASE, self._name, now, LEASE_FOR):
                return
        await self._learn(now)
        async with self._database.transaction() as tx:
            recent = await sources.tallies(tx, now - WINDOW)
            for row in await sources.every(tx):
                await self._judge(tx, row, recent.get(row["source"], Tally()), now)
        await self._tell(now)

    async def _learn(self, now: datetime) -> None:
        if self._learned_at is not None and now - self._learned_at < LEARN_EVERY:
            return
        async with self._database.read() as connection:
            hours = await sources.hourly(connection, now - LEARN_FROM - LEARN_EVERY)
            rows = await sources.every(connection)
        first = {row["source"]: row["first_heard_at"] for row in rows if row["first_heard_at"] is not None}
        self._rhythms = {name: learn(hours.get(name, {}), at, now) for name, at in first.items()}
        self._learned_at = now
        await self._forget(now)

    async def _forget(self, now: datetime) -> None:
        """A part at a time, so that no alert waits for it."""
        async with self._database.transaction() as tx:
            await sources.forget(tx, now - KEEP)
        forgotten = _AT_ONCE
        while forgotten == _AT_ONCE:
            async with self._database.transaction() as tx:
                forgotten = await responses.forget_deliveries(tx, now - KEEP_DELIVERIES, _AT_ONCE)

    async def _judge(self, tx: AsyncConnection, row: RowMapping, tally: Tally, now: datetime) -> None:
        facts = await self._facts(tx, row, tally)
        verdict = judge(facts, now)
        for state in ALARMS:
            SOURCE_ALARM.labels(row["source"], state.value).set(verdict.state is state)
        if verdict.state is facts.state:
            return
        notice_id = None
        if worth_telling(facts.state, verdict):
            notice_id = ids.derive("source-notice", row["source"], verdict.state.value, now.isoformat())
            log.warning("source_state", source=row["source"], before=facts.state.value, now=verdict.state.value)
        await sources.change_state(tx, row, verdict.state.value, verdict.words, now, notice_id)

    async def _facts(self, tx: AsyncConnection, row: RowMapping, tally: Tally) -> Facts:
        about, last = row["about"], row["last_heard_at"]
        return Facts(
            source=row["source"],
            state=SourceState(row["state"]),
            last_heard_at=last,
            reported_at=row["reported_at"],
            rhythm=self._rhythms.get(row["source"]),
            accepted=tally.accepted + tally.ignored,
            rejected=tally.by_reason("rejected"),
            trouble=about.get("trouble"),
            webhook=bool(about.get("webhook", True)),
            rule=about.get("rule", ""),
            switch_on=about.get("switch_on", ""),
            found_otherwise=await sources.late_detected(tx, row["source"], last) if last else 0,
        )

    async def _tell(self, now: datetime) -> None:
        async with self._database.read() as connection:
            waiting = await sources.untold(connection)
        for row in waiting:
            if self._channel is not None and not await self._tell_one(self._channel, row, now):
                continue
            async with self._database.transaction() as tx:
                await sources.told(tx, row["notice_id"], now)

    async def _tell_one(self, channel: Channel, row: RowMapping, now: datetime) -> bool:
        """Whether the administrator has it. What was tried before is looked for first: one notice per change."""
        found = await channel.person(self._administrator)
        if not isinstance(found, Reachable):
            log.error("administrator_unreachable", source=row["source"], state=row["state"])
            return False
        if row["attempted_at"] is not None:
            seen = await channel.look(row["notice_id"], found.place, None, row["attempted_at"])
            if seen is not None:
                return isinstance(seen, Sent)
        async with self._database.transaction() as tx:
            await sources.attempt(tx, row["notice_id"], now)
        message = notice(row["source"], Verdict(SourceState(row["state"]), row["words"]))
        sent = await channel.send(Post(row["notice_id"], found.place, message, {}))
        if not isinstance(sent, Sent):
            log.warning("administrator_not_told", source=row["source"], outcome=type(sent).__name__)
        return isinstance(sent, Sent)


def _lines(words: str) -> list[str]:
    """The words in pieces that every channel can show, broken between sentences."""
    lines = [""]
    for sentence in words.replace(". ", ".\n").split("\n"):
        if lines[-1] and len(lines[-1]) + len(sentence) > _LINE:
            lines.append("")
        lines[-1] = f"{lines[-1]} {sentence}".strip()
    return lines


def notice(source: str, verdict: Verdict) -> Words:
    """What the administrator reads."""
    mark = ":rotating_light:" if verdict.state in ALARMS else ":white_check_mark:"
    head = f"Source {source} is {verdict.state.value}" if verdict.state in ALARMS else f"Source {source} is well again"
    return Words(
        case_id=f"source-{source}",
        rev=1,
        headline=(f"{mark} ", Strong(head)),
        text=f"{head}. {verdict.words}",
        lines=tuple((line,) for line in _lines(verdict.words)),
        context=(("You are told because you are the fallback owner. `closeloop sources` shows all sources.",),),
    )
