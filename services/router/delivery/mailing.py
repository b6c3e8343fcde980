"""Sends the e-mails that stand in for alerts; one router at a time, again until the mail server takes them."""

import asyncio
from datetime import timedelta

import structlog

from services.router.channels.base import Channel, Parked, Post, Sent
from services.router.domain.cards import page_of
from services.router.domain.decision import NoticeKind
from services.router.domain.messages import Message, Strong
from services.router.domain.notices import Notice, compose
from services.router.domain.view import CaseView
from services.router.store import leases, mails, notices
from services.router.store.mails import Mail
from services.router.store.notices import Row
from services.router.store.views import load_views
from shared import ids
from shared.clock import Clock
from shared.db.engine import Database
from shared.errors import TransientError
from shared.runtime import sleep_or_stop

log = structlog.get_logger(__name__)

LEASE = "email"
_LEASE_FOR = timedelta(minutes=2)
_LOOK_EVERY = timedelta(seconds=1)
_AT_A_TIME = 5
_USEFUL_FOR = timedelta(days=2)
_LONGEST_PAUSE = timedelta(minutes=10)


class Mailer:
    """`case_base` is the console's address, under which a case has its page."""

    def __init__(self, database: Database, channel: Channel, clock: Clock, case_base: str | None) -> None:
        self._database = database
        self._channel = channel
        self._clock = clock
        self._case_base = case_base
        self._holder = ids.new_id()

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                if await self.send_waiting():
                    continue
            except TransientError as error:
                log.warning("mailing_waits", error=str(error))
            await sleep_or_stop(self._clock, _LOOK_EVERY, stop)

    async def send_waiting(self) -> int:
        """Send the next few; returns how many were looked at."""
        now = self._clock.now()
        async with self._database.read() as connection:
            if not await mails.waiting(connection, now, now - _USEFUL_FOR, 1):
                return 0
        async with self._database.transaction() as tx:
            if not await leases.hold(tx, LEASE, self._holder, now, _LEASE_FOR):
                return 0
            found = await mails.waiting(tx, now, now - _USEFUL_FOR, _AT_A_TIME)
            views = await load_views(tx, sorted({mail.case_id for mail in found}))
        for mail in found:
            await self._send(mail, views.get(mail.case_id))
        return len(found)

    async def _send(self, mail: Mail, view: CaseView | None) -> None:
        async with self._database.read() as connection:
            row = await notices.find(connection, mail.notice_id)
        if row is None or view is None or view.case.ended:
            await self._settle(mail, None)
            return
        if row.state == "sent":
            await self._settle(mail, row)
            return
        url = page_of(self._case_base, mail.case_id)
        told = compose(Notice(NoticeKind(row.kind), row.recipient, row.role, row.data), view, self._clock.now(), url)
        outcome = await self._channel.send(Post(mail.id, mail.recipient, _explained(told, mail, url), {}))
        await self._settle(mail, outcome)

    async def _settle(self, mail: Mail, outcome: object) -> None:
        now = self._clock.now()
        async with self._database.transaction() as tx:
            match outcome:
                case None:
                    await mails.end(tx, mail.id, mails.DROPPED, "the case needs nobody any more")
                case Row():
                    await mails.end(tx, mail.id, mails.DROPPED, "Slack has brought it meanwhile")
                case Sent():
                    await mails.sent(tx, mail.id, now)
                case Parked(reason):
                    log.error("mail_refused", mail=mail.id, case=mail.case_id, error=reason)
                    await mails.end(tx, mail.id, mails.FAILED, reason)
                case _:
                    pause = min(timedelta(seconds=2.0 ** min(mail.attempt, 20)), _LONGEST_PAUSE)
                    log.warning("mail_waits", mail=mail.id, case=mail.case_id, error=str(outcome))
                    await mails.again(tx, mail.id, now + pause, str(outcome))


def _explained(told: Message, mail: Mail, url: str | None) -> Message:
    """The alert, headed by why it comes by e-mail, and with the address where it can be acted on."""
    own = mail.recipient == mail.meant_for
    whom = "you" if own else mail.meant_for
    why = (Strong("Slack could not bring this alert"), f" to {whom}: {mail.why}. The clock runs.")
    where = ((f"Act on it here: {url}",),) if url else ()
    return Message(
        case_id=told.case_id,
        rev=told.rev,
        headline=told.headline,
        text=f"Not delivered in Slack: {told.text}",
        quote=told.quote,
        lines=(why, *where, *told.lines),
        fields=told.fields,
        context=told.context,
    )
