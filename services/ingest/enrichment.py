"""feedback.thin -> feedback.received: fetches what a webhook left out, so that people are alerted once and know all."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import structlog

from services.ingest.hearing import Hearing
from services.ingest.publishing import event_of
from services.ingest.sources.base import Feedback
from services.ingest.vendors.base import ENRICH_WITHIN, Api, Gone, Refused, VendorError, span
from services.ingest.vendors.client import Client
from services.ingest.vendors.opening import OpenVendor
from services.ingest.vendors.translating import E
from shared.bus.base import Bus
from shared.bus.consumer import ConsumerLoop
from shared.clock import Clock
from shared.errors import PoisonError, TransientError
from shared.events.catalog import FEEDBACK_THIN, SurveyResponded, TicketChanged
from shared.events.envelope import Event, Message, decode_data, from_message, to_record
from shared.runtime import Runtime

log = structlog.get_logger(__name__)

GROUP = "closeloop-enrichment"
AMENDED = ":enriched"
"""Ends the delivery key of what follows later, as a revision, because the event itself had to go on before."""
_BATCH = 20
_REMEMBERED = 10_000
_responses = msgspec.json.Decoder(SurveyResponded)
_tickets = msgspec.json.Decoder(TicketChanged)


class Enrichment:
    """The thin events of one vendor. Each vendor has a group of its own: one that does not answer holds up nobody
    else, and what waits is read again after a restart, because offsets follow effects (G3)."""

    def __init__(self, bus: Bus, clock: Clock, opened: OpenVendor, hearing: Hearing) -> None:
        self._bus = bus
        self._clock = clock
        self._opened = opened
        self._hearing = hearing
        self._name = opened.vendor.name
        self._within = span(opened.options, "enrich_within", ENRICH_WITHIN)
        self._done: OrderedDict[str, None] = OrderedDict()
        self._client: Client | None = None

    def loop(self, runtime: Runtime) -> ConsumerLoop:
        group = f"{GROUP}-{self._name}"
        return ConsumerLoop(runtime.bus, group, [FEEDBACK_THIN.name], self.handle, runtime.clock, max_records=_BATCH)

    async def handle(self, messages: Sequence[Message]) -> None:
        """Raises the vendor's TransientError when something must be tried again; what has a score and is past its
        deadline has gone on by then. Raises PoisonError for what can never be enriched and has no score."""
        found = [(event.id, _data(event)) for event in map(from_message, messages)]
        waiting = [(id_, thin) for id_, thin in found if thin.source == self._name and id_ not in self._done]
        results = await asyncio.gather(*(self._one(id_, thin) for id_, thin in waiting), return_exceptions=True)
        # Poison last: a batch that is tried again because of the vendor must not be taken apart first.
        errors = [result for result in results if isinstance(result, BaseException)]
        for error in sorted(errors, key=lambda error: isinstance(error, PoisonError)):
            raise error

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()

    async def _one(self, event_id: str, thin: Feedback) -> None:
        if isinstance(thin, TicketChanged):
            await self._ticket(thin)
        else:
            await self._answer(thin)
        self._remember(event_id)

    async def _ticket(self, thin: TicketChanged) -> None:
        """Nobody is alerted by a ticket: past the deadline it goes on as it is, and is asked about no more."""
        fetching = asyncio.ensure_future(self._fetch_ticket(thin))
        try:
            in_time = await self._in_time(fetching, thin)
            await self._publish(await self._outcome(fetching, thin) if in_time else thin)
        finally:
            fetching.cancel()

    async def _answer(self, thin: SurveyResponded) -> None:
        """Fetch; meanwhile, when the deadline passes, let go what can be alerted already."""
        fetching = asyncio.ensure_future(self._fetch(thin))
        let_go = False
        try:
            if _has_score(thin) and not await self._in_time(fetching, thin):
                await self._publish(thin)
                let_go = True
            enriched = await self._outcome(fetching, thin)
        finally:
            fetching.cancel()
        if not let_go:
            await self._publish(enriched)
        elif enriched != thin:
            await self._publish(msgspec.structs.replace(enriched, unique_id=thin.unique_id + AMENDED))

    async def _in_time(self, fetching: "asyncio.Future[E]", thin: E) -> bool:
        """Whether the vendor answered before the deadline; False as soon as that is past."""
        left = thin.received_at + self._within - self._clock.now()
        if left <= timedelta(0):
            return False
        timer: asyncio.Future[None] = asyncio.ensure_future(self._clock.sleep(left))
        try:
            waited: set[asyncio.Future[Any]] = {fetching, timer}
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
        return fetching.done()

    async def _outcome(self, fetching: "asyncio.Future[E]", thin: E) -> E:
        """The enriched event; the event as it was where the vendor has no more of it."""
        try:
            enriched = await fetching
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
            if isinstance(thin, TicketChanged) or _has_score(thin):
                return thin
            raise PoisonError(f"what {self._name} answers cannot be read: {reason}") from error
        self._hearing.trouble(self._name, None)
        self._hearing.called(
            self._name, "unscored" if isinstance(enriched, SurveyResponded) and enriched.is_thin else "enriched"
        )
        return enriched

    def _complain(self, error: TransientError) -> None:
        outcome = error.outcome if isinstance(error, VendorError) else "unavailable"
        self._hearing.called(self._name, outcome)
        if isinstance(error, Refused):
            self._hearing.trouble(self._name, str(error))
            log.error("vendor_refuses", source=self._name, reason=str(error))

    async def _fetch(self, thin: SurveyResponded) -> SurveyResponded:
        enrich = self._opened.vendor.enrich
        assert enrich is not None
        return await enrich(self._api(), thin, self._opened.options)

    async def _fetch_ticket(self, thin: TicketChanged) -> TicketChanged:
        enrich = self._opened.vendor.enrich_ticket
        assert enrich is not None
        return await enrich(self._api(), thin, self._opened.options)

    def _api(self) -> Api:
        if self._client is None:
            self._client = self._opened.client()
        return self._client

    async def _publish(self, data: Feedback) -> None:
        await self._bus.publish([to_record(event_of(data))])

    def _remember(self, event_id: str) -> None:
        """What is done is not fetched again when its batch comes again because of another event."""
        self._done[event_id] = None
        if len(self._done) > _REMEMBERED:
            self._done.popitem(last=False)


def _data(event: Event) -> Feedback:
    return decode_data(event, _tickets) if event.type == TicketChanged.TYPE else decode_data(event, _responses)


def _has_score(event: SurveyResponded) -> bool:
    return event.metric != "none"
