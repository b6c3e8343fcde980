"""Chooses what is sent next, at most one message per place at a time, writes that down, and sends it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.channels.base import (
    BadMessage,
    Channel,
    NotSent,
    Outcome,
    Parked,
    Reachable,
    Sent,
    Unknown,
    Unreachable,
)
from services.router.delivery.addressing import AddressBook, Destination
from services.router.delivery.drafting import Drafts
from services.router.delivery.rates import Call
from services.router.delivery.results import Dropped, Lost, Posted
from services.router.delivery.underway import Underway
from services.router.domain.decision import NoticeKind
from services.router.domain.notices import ROOTS, obsolete
from services.router.domain.view import CaseView
from services.router.store import notices, people
from services.router.store.notices import Row
from services.router.store.views import load_views
from shared.faults import crash_point

log = structlog.get_logger(__name__)

PAGE = 200
STALE_CLAIM = timedelta(seconds=10)
_PER_PLACE = 4
_MOST_PAGES = 5


@dataclass(frozen=True, slots=True)
class Pick:
    row: Row
    view: CaseView
    destination: Destination
    thread: str | None


@dataclass
class Sender:
    """`doubted` tells the places where the arrival of an earlier message is not known yet: order is kept there."""

    desk: Underway
    book: AddressBook
    channel: Channel
    drafts: Drafts
    doubted: Callable[[], set[str | None]]

    async def choose(self, connection: AsyncConnection) -> list[Pick]:
        """What can be sent now, in order of priority; notices nobody needs or can get become results at once."""
        now = self.desk.clock.now()
        passed: set[str] = set()
        for _ in range(_MOST_PAGES):
            # While we read, an earlier message of a place can come into doubt, or out of it and wait again unread.
            doubted = self.doubted()
            page = await notices.waiting(connection, now, PAGE, passed)
            doubted |= self.doubted()
            picks = await self._pick(connection, self._sendable(page, doubted, now), doubted, now)
            passed |= {row.recipient for row in page}
            if picks or len(page) < PAGE:
                return picks
        return []

    async def claim(self, tx: AsyncConnection, picks: Sequence[Pick]) -> list[Pick]:
        """The picks that still wait, written down as being sent."""
        now = self.desk.clock.now()
        places = {pick.row.id: pick.destination.place for pick in picks}
        claimed = await notices.claim(tx, places, {pick.row.id: pick.thread for pick in picks}, now)
        return [_claimed(pick, now) for pick in picks if pick.row.id in claimed]

    def send(self, picks: Iterable[Pick]) -> None:
        """Only after what `claim` wrote is committed."""
        for pick in picks:
            self.desk.in_hand.add(pick.row.id)
            self.desk.busy.add(pick.destination.place)
            self.desk.spawn(self._send(pick))

    def _sendable(self, page: Sequence[Row], doubted: set[str | None], now: datetime) -> list[Row]:
        """The first few of each place that takes a message now; repeats go before what came later."""
        counts: dict[str, int] = {}
        rows = []
        for row in sorted(page, key=lambda row: not row.repeat):
            place = None if row.data.get("stands_in") else self.book.place_of(row.recipient)
            if row.id in self.desk.in_hand or (
                place is not None and (place in doubted or not self.desk.free(place, now))
            ):
                continue
            key = place or row.recipient
            counts[key] = counts.get(key, 0) + 1
            if counts[key] <= _PER_PLACE:
                rows.append(row)
        return rows

    async def _pick(
        self, connection: AsyncConnection, rows: Sequence[Row], doubted: set[str | None], now: datetime
    ) -> list[Pick]:
        if not rows:
            return []
        case_ids = sorted({row.case_id for row in rows})
        views = await load_views(connection, case_ids)
        cards = await notices.cards_of(connection, case_ids)
        await learn(self.book, connection, views.values(), rows)
        doubted = doubted | self.doubted()
        picks: dict[str, Pick] = {}
        for row in rows:
            pick = self._consider(row, views.get(row.case_id), cards)
            if pick is None or pick.destination.place in picks or pick.destination.place in doubted:
                continue
            if self.desk.free(pick.destination.place, now):
                self.desk.rates.take_post(pick.destination.place)
                picks[pick.destination.place] = pick
        return list(picks.values())

    def _consider(self, row: Row, view: CaseView | None, cards: Sequence[Row]) -> Pick | None:
        """None when it cannot be sent now, or never."""
        if view is None or obsolete(NoticeKind(row.kind), view):
            self.desk.add(Dropped(row, "nobody needs it any more"))
            return None
        destination = self.book.destination(row, view)
        if isinstance(destination, Unreachable):
            self.desk.add(Lost(row, destination.why))
            return None
        if destination is None:
            return None
        served = _served_by(row, destination, cards)
        if served is not None:
            outcome = Sent(destination.place, str(served.ts))
            self.desk.add(Posted(row, outcome, served.published_rev, self.desk.clock.now()))
            return None
        on_its_way, thread = _thread(row, destination, cards)
        return None if on_its_way else Pick(row, view, destination, thread)

    async def _send(self, pick: Pick) -> None:
        row, place = pick.row, pick.destination.place
        outcome = await self._call(pick)
        ended = self.desk.clock.now()
        self.desk.judge(outcome, Call.POST)
        person = self.book.get(row.recipient)
        if isinstance(outcome, Parked) and not outcome.everywhere:
            if isinstance(person, Reachable) and person.place == place:
                if not self.book.doubt(row.recipient):
                    self.desk.add(Lost(row, f"Slack takes no message for them ({outcome.reason})"))
                    return
                outcome = NotSent(outcome.reason)
            else:
                self.desk.rest(place, row.attempt)
        not_before = self.desk.rest(place, row.attempt) if isinstance(outcome, NotSent) else None
        self.desk.add(Posted(row, outcome, pick.view.case.version, ended, not_before))

    async def _call(self, pick: Pick) -> Outcome:
        started = pick.row.attempt_started_at
        if started is not None and self.desk.clock.now() - started > STALE_CLAIM:
            # This process stood still after its claim: another router may be looking for the message already.
            return Unknown("claimed too long ago")
        try:
            post = self.drafts.post(pick.row, pick.view, pick.destination, pick.thread)
        except Exception as error:
            log.exception("notice_not_drawn", notice=pick.row.id, kind=pick.row.kind)
            return BadMessage(type(error).__name__)
        try:
            outcome = await self.channel.send(post)
        except Exception as error:
            log.exception("sending_failed", notice=pick.row.id)
            return Unknown(type(error).__name__)
        if isinstance(outcome, Sent):
            crash_point("after_slack_accepted")
        return outcome


async def learn(book: AddressBook, connection: AsyncConnection, views: Iterable[CaseView], rows: Sequence[Row]) -> None:
    """Tell the book what is stored about everybody these notices name."""
    emails = {row.recipient for row in rows}
    for view in views:
        emails |= {email for email in (view.case.owner, view.case.support_lead) if email}
    unknown = book.unknown(emails)
    if unknown:
        book.learn((await people.find(connection, sorted(unknown))).values())


def _claimed(pick: Pick, now: datetime) -> Pick:
    row = replace(
        pick.row,
        state="sending",
        attempt=pick.row.attempt + 1,
        attempt_started_at=now,
        destination=pick.destination.place,
        thread_ts=pick.thread,
    )
    return replace(pick, row=row)


def _thread(row: Row, destination: Destination, cards: Sequence[Row]) -> tuple[bool, str | None]:
    """Whether the recipient's card is still on its way, and else the ts of the one to reply to (None: stand alone)."""
    if row.kind in ROOTS or row.data.get("stands_in"):
        return False, None
    own = [card for card in cards if card.case_id == row.case_id and card.recipient == row.recipient]
    shown = next((card for card in own if card.state == "sent" and card.channel == destination.place), None)
    if shown is not None:
        return False, shown.ts
    return any(card.state in ("pending", "sending", "uncertain") for card in own), None


def _served_by(row: Row, destination: Destination, cards: Sequence[Row]) -> Row | None:
    """In a place that several people read one card serves them all."""
    if not destination.shared or row.kind != NoticeKind.CARD:
        return None
    return next(
        (
            card
            for card in cards
            if card.case_id == row.case_id and card.channel == destination.place and card.state == "sent" and card.ts
        ),
        None,
    )
