"""Keeps cards on display at the newest state of their case: what people just did first, always only the newest."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.channels.base import BadMessage, Channel, NotSent, Outcome, Unknown
from services.router.delivery.addressing import AddressBook, Destination
from services.router.delivery.drafting import Drafts
from services.router.delivery.rates import Call
from services.router.delivery.results import Updated
from services.router.delivery.sending import learn
from services.router.delivery.underway import Underway
from services.router.domain.view import CaseView
from services.router.store import notices
from services.router.store.notices import Row
from services.router.store.views import load_views

log = structlog.get_logger(__name__)

PAGE = 200
_RETRY = 2


@dataclass
class Updater:
    desk: Underway
    book: AddressBook
    channel: Channel
    drafts: Drafts
    _under_way: set[str] = field(default_factory=set)

    async def start(self, connection: AsyncConnection) -> None:
        """Begin as many updates as the rate allows."""
        now = self.desk.clock.now()
        if self.desk.rates.update_wait(now) > 0:
            return
        stale = [row for row in await notices.stale_cards(connection, PAGE) if self._due(row, now)]
        if not stale:
            return
        views = await load_views(connection, sorted({row.case_id for row in stale}))
        await learn(self.book, connection, views.values(), stale)
        messages: dict[str, list[Row]] = {}
        for row in stale:
            messages.setdefault(_key(row), []).append(row)
        for rows in sorted(messages.values(), key=lambda rows: _urgency(rows[0], views)):
            view = views.get(rows[0].case_id)
            if view is None or self.desk.rates.update_wait(now) > 0:
                continue
            self.desk.rates.take_update()
            self._under_way.add(_key(rows[0]))
            self.desk.spawn(self._update(rows, view))

    def done(self, result: Updated) -> None:
        """Its result is written: the message may be updated again."""
        self._under_way.discard(_key(result.rows[0]))

    def _due(self, row: Row, now: datetime) -> bool:
        return _key(row) not in self._under_way and not self.desk.rests(_key(row), now)

    async def _update(self, rows: Sequence[Row], view: CaseView) -> None:
        outcome = await self._call(rows[0], view)
        self.desk.judge(outcome, Call.UPDATE)
        if isinstance(outcome, NotSent | Unknown):
            self.desk.rest(_key(rows[0]), _RETRY)
        self.desk.add(Updated(tuple(rows), outcome, view.case.version, view.case.ended))

    async def _call(self, row: Row, view: CaseView) -> Outcome:
        place = str(row.channel)
        known = self.book.destination(row, view)
        destination = replace(known, place=place) if isinstance(known, Destination) else Destination(place)
        try:
            post = self.drafts.post(row, view, destination, None)
        except Exception as error:
            log.exception("card_not_drawn", notice=row.id)
            return BadMessage(type(error).__name__)
        return await self.channel.update(post, str(row.ts))


def _key(row: Row) -> str:
    return f"{row.channel} {row.ts}"


def _urgency(row: Row, views: dict[str, CaseView]) -> tuple[bool, datetime]:
    """What a person just did shows first."""
    view = views.get(row.case_id)
    last = view.last_entry if view is not None else None
    return (last is None or "@" not in last.actor, last.at if last is not None else row.created_at)
