"""feedback.scored -> rows: every response is stored; a flagged one gets its case, in the same transaction (G4)."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.cases import Cases
from services.router.domain import commands
from services.router.domain.arrivals import SYSTEM
from services.router.domain.matching import Match
from services.router.domain.proof import is_good
from services.router.domain.view import AccountView
from services.router.finding import Finder
from services.router.raising import Flagged, Raiser
from services.router.revising import RECONCILER, WEBHOOK, Reviser, content
from services.router.store import directory, responses, sources, texts
from shared.clock import Clock
from shared.db.engine import Database
from shared.errors import TransientError
from shared.events.catalog import FeedbackScored, SurveyResponded
from shared.events.envelope import Message, decode_data, from_message
from shared.observability import EVENTS_LOST

TICKET_ENDED = frozenset({"solved", "closed"})
_CONFIRMS_WITHIN = timedelta(days=90)
# SQLite has one writer: a whole batch in one transaction would keep alerts from being sent for seconds.
_AT_ONCE = 8
_DECODER = msgspec.json.Decoder(FeedbackScored)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A response that may be new, with its account, found in a few queries for a whole batch."""

    id: str
    scored: FeedbackScored
    found: Match
    account: AccountView | None
    role: str | None

    @property
    def received_at(self) -> datetime:
        return self.scored.response.received_at

    @property
    def is_bad(self) -> bool:
        return self.scored.flagged and not self.scored.late and not self.scored.response.withdrawn


class Intake:
    def __init__(
        self,
        database: Database,
        cases: Cases,
        finder: Finder,
        raiser: Raiser,
        clock: Clock,
        wake: Callable[[], None],
    ) -> None:
        self._database = database
        self._cases = cases
        self._finder = finder
        self._raiser = raiser
        self._reviser = Reviser(cases, finder, raiser)
        self._clock = clock
        self._wake = wake

    async def handle(self, messages: Sequence[Message]) -> None:
        """Raises PoisonError for what is no scored response; DatabaseUnavailable when not all was written: the same
        messages again write the rest (G2)."""
        lanes: defaultdict[int, list[tuple[str, FeedbackScored]]] = defaultdict(list)
        for message in messages:
            event = from_message(message)
            # Order matters within a partition only. A few share one transaction; many go side by side, so that they do
            # not wait for each other's round trips.
            lane = message.partition if len(messages) > _AT_ONCE else 0
            lanes[lane].append((event.id, decode_data(event, _DECODER)))
        results = await asyncio.gather(*(self._store_all(lane) for lane in lanes.values()), return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        for failure in sorted(failures, key=lambda one: not isinstance(one, TransientError)):
            raise failure

    async def _store_all(self, scored: Sequence[tuple[str, FeedbackScored]]) -> None:
        for start in range(0, len(scored), _AT_ONCE):
            await self._store(scored[start : start + _AT_ONCE])

    async def _store(self, scored: Sequence[tuple[str, FeedbackScored]]) -> None:
        now = self._clock.now()
        async with self._database.transaction() as tx:
            unseen = await responses.unseen(tx, [event_id for event_id, _ in scored], now)
            fresh: list[FeedbackScored] = []
            repeated: Counter[str] = Counter()
            for event_id, item in scored:
                if event_id in unseen:
                    unseen.discard(event_id)
                    fresh.append(item)
                elif item.response.detected_by == WEBHOOK:
                    repeated[item.response.source] += 1
            await self._take_all(tx, fresh, now)
            for source, times in sorted(repeated.items()):
                await sources.count(tx, source, now, duplicates=times)
        self._wake()

    async def _take_all(self, tx: AsyncConnection, fresh: Sequence[FeedbackScored], now: datetime) -> None:
        if not fresh:
            return
        arrivals = await self._arrivals(tx, fresh)
        there = await responses.existing(tx, [arrival.id for arrival in arrivals])
        # The first word of each response that is not there; a second one in the same batch revises it.
        new = {arrival.id: arrival for arrival in reversed(arrivals) if arrival.id not in there}
        await self._add(tx, [arrival for arrival in arrivals if new.get(arrival.id) is arrival], now)
        for arrival in arrivals:
            if new.get(arrival.id) is arrival or await self._revised(tx, arrival, now):
                await self._confirm(tx, arrival.id, arrival.scored, now)
            if new.get(arrival.id) is arrival:
                await self._reopened_meanwhile(tx, arrival.scored.response, now)

    async def _revised(self, tx: AsyncConnection, arrival: Arrival, now: datetime) -> bool:
        known = await responses.load(tx, arrival.id)
        return known is not None and await self._reviser.revise(tx, known, arrival.scored, now)

    async def _arrivals(self, tx: AsyncConnection, fresh: Sequence[FeedbackScored]) -> list[Arrival]:
        answers = [scored.response for scored in fresh]
        found = await self._finder.accounts_of(tx, answers)
        accounts = await directory.account_views(tx, sorted({match.account_id for match in found if match.account_id}))
        persons = [(match.account_id, answer.requester_email) for match, answer in zip(found, answers, strict=True)]
        roles = await directory.contact_roles(tx, [(of, email) for of, email in persons if of and email])
        return [
            Arrival(
                responses.response_id(scored.response.source, scored.response.key),
                scored,
                match,
                accounts.get(match.account_id or ""),
                roles.get((of or "", email or "")),
            )
            for scored, match, (of, email) in zip(fresh, found, persons, strict=True)
        ]

    async def _add(self, tx: AsyncConnection, new: Sequence[Arrival], now: datetime) -> None:
        comments = {
            arrival.id: texts.text(arrival.scored.response.comment, now, response_id=arrival.id)
            for arrival in new
            if arrival.scored.response.comment
        }
        rows = {arrival.id: _row(arrival, comments.get(arrival.id)) for arrival in new}
        await texts.add(tx, list(comments.values()))
        await responses.add(tx, list(rows.values()))
        for arrival in new:
            if arrival.scored.response.detected_by == RECONCILER:
                EVENTS_LOST.labels(arrival.scored.response.source).inc()
                await sources.count(tx, arrival.scored.response.source, now, late_detected=1)
        await directory.note_tickets(tx, [arrival.scored.response for arrival in new])
        flagged = [
            (Flagged(rows[arrival.id], arrival.account, arrival.found.words, arrival.role), arrival.received_at)
            for arrival in new
            if arrival.is_bad
        ]
        await self._raiser.flag(tx, flagged, now)

    async def _confirm(self, tx: AsyncConnection, id_: str, scored: FeedbackScored, now: datetime) -> None:
        """A good rating after a touch is the customer's word that it helped."""
        answer = scored.response
        if scored.flagged or answer.withdrawn or not is_good(answer.metric, answer.normalised_score):
            return
        rated_at = answer.occurred_at or answer.received_at
        earlier = await responses.earlier_of_person(tx, id_, rated_at - _CONFIRMS_WITHIN)
        for case_id, of in sorted(earlier.items()):
            command = commands.NoteGoodRating(actor=SYSTEM, response_id=id_, rated_at=rated_at, of=frozenset(of))
            await self._cases.apply(tx, case_id, command, now)

    async def _reopened_meanwhile(self, tx: AsyncConnection, answer: SurveyResponded, now: datetime) -> None:
        """Ratings and tickets travel apart: that a rated ticket was reopened may have been read before the rating."""
        if answer.ticket_id is None or answer.ticket_status not in TICKET_ENDED:
            return
        ticket = await directory.ticket_of(tx, answer.source, answer.ticket_id)
        rated_at = answer.occurred_at or answer.received_at
        if ticket is not None and ticket["status"] == "open" and ticket["changed_at"] > rated_at:
            at = min(ticket["changed_at"], now)
            await self._raiser.ticket_reopened(tx, answer.source, answer.ticket_id, at, now)


def _row(arrival: Arrival, comment: texts.Text | None) -> dict[str, Any]:
    answer = arrival.scored.response
    return {
        "id": arrival.id,
        "record_id": answer.record_id,
        "source": answer.source,
        "received_at": answer.received_at,
        "account_id": arrival.found.account_id,
        "revision": 1,
        "detected_by": answer.detected_by,
        **content(arrival.scored),
        "comment_id": comment.id if comment else None,
    }
