"""feedback.thin -> feedback.received: fetches what a webhook left out, so that people are alerted once and know all.

What the vendor does not tell in time goes on as it is and, by feedback.overdue, is amended when it does.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import msgspec
import structlog

from services.ingest.hearing import Hearing
from services.ingest.publishing import event_of
from services.ingest.sources.base import Feedback
from services.ingest.vendors.base import ENRICH_WITHIN, Api, Gone, Refused, VendorError, span
from services.ingest.vendors.client import Client
from services.ingest.vendors.opening import OpenVendor
from shared.bus.base import Bus, Topic
from shared.bus.consumer import ConsumerLoop
from shared.bus.work import Handle
from shared.clock import Clock
from shared.errors import PoisonError, TransientError
from shared.events.catalog import FEEDBACK_OVERDUE, FEEDBACK_THIN, SurveyResponded, TicketChanged
from shared.events.envelope import Event, Message, decode_data, from_message, to_record
from shared.runtime import Runtime

log = structlog.get_logger(__name__)

GROUP, OVERDUE_GROUP = "closeloop-enrichment", "closeloop-overdue"
AMENDED = ":enriched"
"""Ends the delivery key of what follows later, as a revision, because the event itself had to go on before."""
_BATCH = 20
_REMEMBERED = 10_000
_responses = msgspec.json.Decoder(SurveyResponded)
_tickets = msgspec.json.Decoder(TicketChanged)


class Enrichment:
    """The thin events of one vendor. Each vendor has groups of its own: one that does not answer holds up nobody
    else, and what waits is read again after a restart, because offsets follow effects (G3)."""

    def __init__(self, bus: Bus, clock: Clock, opened: OpenVendor, hearing: Hearing) -> None:
        self._bus = bus
        self._clock = clock
        self._opened = opened
        self._hearing = hearing
        self._name = opened.vendor.name
        self._within = span(opened.options, "enrich_within", ENRICH_WITHIN)
        self._done: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._client: Client | None = None

    def loops(self, runtime: Runtime) -> dict[str, ConsumerLoop]:
        """Two, by name, so that whoever waits for a vendor to come back has nobody behind him with a deadline."""

        def of(group: str, topic: Topic, handle: Handle) -> ConsumerLoop:
            name = f"{group}-{self._name}"
            return ConsumerLoop(runtime.bus, name, [topic.name], handle, runtime.clock, max_records=_BATCH)

        return {
            f"enrichment {self._name}": of(GROUP, FEEDBACK_THIN, self.handle),
            f"enrichment {self._name}, overdue": of(OVERDUE_GROUP, FEEDBACK_OVERDUE, self.handle_overdue),
        }

    async def handle(self, messages: Sequence[Message]) -> None:
        """Every event goes on by its deadline, enriched or not. Raises the vendor's TransientError when there is time
        to try again, and PoisonError for what can never be enriched and has no score."""
        await self._each(messages, self._promptly)

    async def handle_overdue(self, messages: Sequence[Message]) -> None:
        """What is missing follows when the vendor answers. Raises as `handle`, however late it is."""
        await self._each(messages, self._late)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()

    async def _each(self, messages: Sequence[Message], take: Callable[[Feedback], Awaitable[None]]) -> None:
        found = [((event.topic, event.id), _data(event)) for event in map(from_message, messages)]
        waiting = [(key, thin) for key, thin in found if thin.source == self._name and key not in self._done]

        async def one(key: tuple[str, str], thin: Feedback) -> None:
            await take(thin)
            self._remember(key)

        results = await asyncio.gather(*(one(key, thin) for key, thin in waiting), return_exceptions=True)
        # Poison last: a batch that is tried again because of the vendor must not be taken apart first.
        errors = [result for result in results if isinstance(result, BaseException)]
        for error in sorted(errors, key=lambda error: isinstance(error, PoisonError)):
            raise error

    async def _promptly(self, thin: Feedback) -> None:
        enriched = await self._in_time(thin)
        if enriched is not None:
            await self._publish(event_of(enriched))
        elif isinstance(thin, TicketChanged):
            # Nobody is alerted by a ticket, so nothing needs to follow.
            await self._publish(event_of(thin))
        else:
            alerted = [event_of(thin)] if _has_score(thin) else []
            await self._publish(*alerted, event_of(thin, FEEDBACK_OVERDUE))

    async def _late(self, thin: Feedback) -> None:
        enriched = await self._enriched(thin)
        if not _has_score(thin):
            await self._publish(event_of(enriched))
        elif enriched != thin:
            await self._publish(event_of(msgspec.structs.replace(enriched, unique_id=thin.unique_id + AMENDED)))

    async def _in_time(self, thin: Feedback) -> Feedback | None:
        """The enriched event; None as soon as the deadline is past."""
        left = thin.received_at + self._within - self._clock.now()
        if left <= timedelta(0):
            return None
        fetching = asyncio.ensure_future(self._enriched(thin))
        timer = asyncio.ensure_future(self._clock.sleep(left))
        try:
            await asyncio.wait({fetching, timer}, return_when=asyncio.FIRST_COMPLETED)
            return await fetching if fetching.done() else None
        finally:
            fetching.cancel()
            timer.cancel()

    async def _enriched(self, thin: Feedback) -> Feedback:
        """The event with what the vendor knows; as it was where the vendor has no more of it."""
        try:
            enriched = await self._fetch(thin)
        except Gone:
            self._hearing.called(self._name, "gone")
            return thin
        except TransientError as error:
            self._complain(error)
            raise
        except OSError:
            raise
        except Exception as error:
            reason = str(error) if isinstance(error, PoisonError) else type(error).__name__
            self._hearing.called(self._name, "unreadable")
            log.error("thin_event_unreadable", source=self._name, record_id=thin.record_id, reason=reason)
            if _has_score(thin):
                return thin
            raise PoisonError(f"what {self._name} answers cannot be read: {reason}") from error
        self._hearing.trouble(self._name, None)
        self._hearing.called(self._name, "enriched" if _has_score(enriched) else "unscored")
        return enriched

    def _complain(self, error: TransientError) -> None:
        outcome = error.outcome if isinstance(error, VendorError) else "unavailable"
        self._hearing.called(self._name, outcome)
        if isinstance(error, Refused):
            self._hearing.trouble(self._name, str(error))
            log.error("vendor_refuses", source=self._name, reason=str(error))

    async def _fetch(self, thin: Feedback) -> Feedback:
        vendor, options = self._opened.vendor, self._opened.options
        if isinstance(thin, TicketChanged):
            assert vendor.enrich_ticket is not None
            return await vendor.enrich_ticket(self._api(), thin, options)
        assert vendor.enrich is not None
        return await vendor.enrich(self._api(), thin, options)

    def _api(self) -> Api:
        if self._client is None:
            self._client = self._opened.client()
        return self._client

    async def _publish(self, *events: Event) -> None:
        await self._bus.publish([to_record(event) for event in events])

    def _remember(self, key: tuple[str, str]) -> None:
        """What is done is not fetched again when its batch comes again because of another event."""
        self._done[key] = None
        if len(self._done) > _REMEMBERED:
            self._done.popitem(last=False)


def _data(event: Event) -> Feedback:
    return decode_data(event, _tickets) if event.type == TicketChanged.TYPE else decode_data(event, _responses)


def _has_score(event: Feedback) -> bool:
    """Also of tickets, which need none."""
    return isinstance(event, TicketChanged) or event.metric != "none"
