"""How long the embedded event log keeps messages: CLOSELOOP_RETENTION_DAYS, never longer than a topic states."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import structlog

from shared.bus.base import Bus
from shared.bus.eventlog import SqliteEventLog
from shared.errors import ConfigurationError, TransientError
from shared.events.catalog import all_topics
from shared.runtime import Loop, Runtime, Service, sleep_or_stop

log = structlog.get_logger(__name__)

EVERY = timedelta(hours=1)


async def apply_retention(bus: Bus, span: timedelta) -> None:
    """Delete messages older than `span` or than their topic's retention; of a compacted topic, what was superseded.
    Raises ConfigurationError for Kafka, where topics keep their own retention."""
    if not isinstance(bus, SqliteEventLog):
        raise ConfigurationError("Kafka keeps its topics' retention by itself: change it with Kafka's own tools")
    topics = [
        topic if topic.compacted else replace(topic, retention=min(span, topic.retention or span))
        for topic in all_topics()
    ]
    await bus.apply_retention(topics)


def retention_service(runtime: Runtime) -> Service:
    """A loop that applies the retention every hour while `CLOSELOOP_RETENTION_DAYS` is set."""
    span = timedelta(days=runtime.settings.retention_days)

    async def keep(stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await apply_retention(runtime.bus, span)
            except TransientError as error:
                log.warning("retention_postponed", error=str(error))
            await sleep_or_stop(runtime.clock, EVERY, stop)

    wanted = span and isinstance(runtime.bus, SqliteEventLog)
    return Service("retention", loops=[Loop("retention", keep)] if wanted else [])
