"""accounts.updated and tickets.changed -> account, contact and ticket rows; open cases follow their account."""

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.cases import Cases
from services.router.domain import commands
from services.router.domain.arrivals import SYSTEM
from services.router.domain.case import Reply
from services.router.domain.view import AccountView
from services.router.finding import Finder
from services.router.intake import TICKET_ENDED
from services.router.raising import Raiser
from services.router.store import directory, responses
from shared.clock import Clock
from shared.db.engine import Database
from shared.events.catalog import ACCOUNTS_UPDATED, AccountUpdated, TicketChanged
from shared.events.envelope import Message, decode_data, from_message

_ACCOUNTS = msgspec.json.Decoder(AccountUpdated)
_TICKETS = msgspec.json.Decoder(TicketChanged)


class Directory:
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
        self._clock = clock
        self._wake = wake

    async def handle(self, messages: Sequence[Message]) -> None:
        """Raises PoisonError for what is neither; DatabaseUnavailable when nothing was written."""
        now = self._clock.now()
        async with self._database.transaction() as tx:
            for message in messages:
                if message.value is not None:
                    await self._take(tx, message, now)
        self._wake()

    async def _take(self, tx: AsyncConnection, message: Message, now: datetime) -> None:
        event = from_message(message)
        if message.topic == ACCOUNTS_UPDATED.name:
            await self._take_account(tx, decode_data(event, _ACCOUNTS), now)
        else:
            await self._take_ticket(tx, decode_data(event, _TICKETS), now)

    async def _take_account(self, tx: AsyncConnection, account: AccountUpdated, now: datetime) -> None:
        if not await directory.put_account(tx, account) or account.deleted:
            return
        await directory.adopt_responses(tx, account)
        view = await directory.account_view(tx, account.id)
        assert view is not None
        await self._adopt_orphans(tx, view, now)
        await self._cases.follow_directory(tx, view, now)

    async def _adopt_orphans(self, tx: AsyncConnection, account: AccountView, now: datetime) -> None:
        orphans = await responses.of_orphans(tx)
        found = await self._finder.accounts(tx, [sender for _, sender in orphans])
        theirs = [of for (of, _), match in zip(orphans, found, strict=True) if match.account_id == account.id]
        for case_id in dict.fromkeys(theirs):
            await self._cases.adopt(tx, case_id, account, now)

    async def _take_ticket(self, tx: AsyncConnection, ticket: TicketChanged, now: datetime) -> None:
        if ticket.ticket_id is None:
            return
        changed_at = ticket.occurred_at or ticket.received_at
        before = await directory.put_ticket(tx, ticket, changed_at)
        if before in TICKET_ENDED and ticket.ticket_status == "open":
            await self._raiser.ticket_reopened(tx, ticket.source, ticket.ticket_id, ticket.received_at, now)
        if ticket.replied_at is not None:
            reply = Reply(min(ticket.replied_at, now), ticket.source, ticket.replied_by)
            await self._take_reply(tx, ticket.ticket_id, reply, now)

    async def _take_reply(self, tx: AsyncConnection, ticket_id: str, reply: Reply, now: datetime) -> None:
        """Evidence for the cases of the ticket's responses; one that comes before the touch is found when it is."""
        known = await responses.of_ticket(tx, reply.source, ticket_id)
        for case_id in sorted({item.case_id for item in known if item.case_id is not None}):
            await self._cases.apply(tx, case_id, commands.NoteReply(actor=SYSTEM, reply=reply), now)
