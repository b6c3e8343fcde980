"""Everything from the front door to the rows in one process: webhooks go in, cases come out; clocks turn by hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
from sqlalchemy import select

from services.router import tables
from services.scoring.app import Scorer
from shared.clock import ManualClock
from shared.events.catalog import ACCOUNTS_UPDATED, FEEDBACK_RECEIVED, FEEDBACK_SCORED, TICKETS_CHANGED
from shared.events.envelope import Record
from shared.runtime import Runtime
from tests.support.ingest import Ingest, as_message, running_ingest
from tests.support.router import RouterBench


@dataclass(frozen=True)
class Delivery:
    """One request of a vendor, which may be sent again byte by byte."""

    path: str
    body: bytes
    headers: dict[str, str]
    method: str = "POST"


@dataclass
class Pipeline:
    """`deliver` takes a delivery all the way, `hand_on` only what the log holds."""

    ingest: Ingest
    router: RouterBench
    scorer: Scorer
    _taken: dict[str, int] = field(default_factory=dict)

    async def deliver(self, delivery: Delivery) -> httpx.Response:
        """Send it; what became of it waits in the log."""
        for clock in (self.ingest.clock, self.router.clock):
            clock.advance(timedelta(seconds=1))
        answer = await self.ingest.http.request(
            delivery.method, delivery.path, content=delivery.body, headers=delivery.headers
        )
        assert answer.status_code == 202, f"{delivery.path}: {answer.status_code} {answer.text}"
        return answer

    async def hand_on(self, topic: str) -> int:
        """Let the readers of one topic take everything new on it, as one batch; returns how much that was."""
        fresh = self._fresh(topic)
        if not fresh:
            return 0
        messages = [as_message(record, number) for number, record in enumerate(fresh)]
        readers = {
            FEEDBACK_RECEIVED.name: self.scorer.handle,
            FEEDBACK_SCORED.name: self.router.intake.handle,
            ACCOUNTS_UPDATED.name: self.router.directory.handle,
            TICKETS_CHANGED.name: self.router.directory.handle,
        }
        await readers[topic](messages)
        return len(fresh)

    async def hand_on_all(self) -> None:
        for topic in (ACCOUNTS_UPDATED, TICKETS_CHANGED, FEEDBACK_RECEIVED, FEEDBACK_SCORED):
            await self.hand_on(topic.name)

    def _fresh(self, topic: str) -> list[Record]:
        records = self.ingest.log.of(topic)
        start = self._taken.get(topic, 0)
        self._taken[topic] = len(records)
        return records[start:]

    async def responses(self) -> list[dict[str, Any]]:
        """Every response row with its comment."""
        table, texts = tables.responses, tables.texts
        statement = select(table, texts.c.body.label("comment")).join(
            texts, texts.c.id == table.c.comment_id, isouter=True
        )
        async with self.router.database.read() as connection:
            return [dict(row) for row in (await connection.execute(statement)).mappings()]


@asynccontextmanager
async def running_pipeline(url: str, policy: str = "") -> AsyncIterator[Pipeline]:
    """On a fresh database; the source `standard` and the account doors are open."""
    router = await RouterBench.create(url, policy)
    async with running_ingest("standard", now=router.clock.now()) as ingest:
        runtime = Runtime(ingest.runtime.settings, router.policy, ManualClock(router.clock.now()), ingest.log)  # type: ignore[arg-type]
        try:
            yield Pipeline(ingest, router, Scorer(runtime))
        finally:
            await router.close()
