"""A response that needs a person gets its case, at once or when its grace is over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.cases import Cases, Need, key_of_account
from services.router.domain import commands
from services.router.domain.arrivals import SYSTEM
from services.router.domain.matching import orphan_key
from services.router.domain.noise import Answer
from services.router.domain.revision import Change
from services.router.domain.view import AccountView
from services.router.finding import Finder
from services.router.store import deadlines, directory, responses
from services.router.store.responses import Known
from shared.policy import Policy

RESPONSE, TICKET_REOPENED = "response", "ticket_reopened"


@dataclass(frozen=True, slots=True)
class Flagged:
    """A stored response with what is known of its account. `why_no_account` is shown where there is none."""

    row: Mapping[Any, Any]
    account: AccountView | None
    why_no_account: str
    role: str | None


class Raiser:
    def __init__(self, cases: Cases, finder: Finder, policy: Policy) -> None:
        self._cases = cases
        self._finder = finder
        self._grace = policy.flag.grace

    async def flag(self, tx: AsyncConnection, found: Sequence[tuple[Flagged, datetime]], now: datetime) -> None:
        """Alert these, each with when it was received, unless the customer still has time to correct a misclick."""
        at_once = []
        for flagged, received_at in found:
            if self._grace > timedelta(0) and received_at + self._grace > now:
                await deadlines.hold(tx, flagged.row["id"], received_at + self._grace)
            else:
                at_once.append(self._need(flagged, received_at, RESPONSE))
        if at_once:
            await self._cases.raise_needs(tx, at_once, now)

    async def flag_known(self, tx: AsyncConnection, id_: str, received_at: datetime, now: datetime) -> None:
        await self.flag(tx, [(await self._flagged(tx, id_), received_at)], now)

    async def raise_known(self, tx: AsyncConnection, id_: str, received_at: datetime, now: datetime) -> None:
        await self._cases.raise_need(tx, self._need(await self._flagged(tx, id_), received_at, RESPONSE), now)

    async def grace_over(self, tx: AsyncConnection, response_id: str, over_at: datetime, now: datetime) -> None:
        """What is still bad is alerted; its clock started when the delivery that flagged it was received."""
        known = await responses.load(tx, response_id)
        if known is not None and known.flagged and not known.withdrawn and known.case_id is None:
            await self.raise_known(tx, response_id, max(known.received_at, over_at - self._grace), now)

    async def ticket_reopened(
        self, tx: AsyncConnection, source: str, ticket_id: str, at: datetime, now: datetime
    ) -> None:
        """A ticket reopened after a rating needs a person, however good the rating was."""
        answers = await responses.of_ticket(tx, source, ticket_id)
        rated = [known for known in answers if known.occurred_at <= at and not known.withdrawn]
        if not rated:
            return
        known, words = rated[-1], "The ticket was reopened after the customer rated it."
        if known.case_id is not None and await self.note(tx, known, TICKET_REOPENED, words, now):
            return
        await responses.revise(tx, known.id, {"flagged": True, "reasons": [words]})
        await self._cases.raise_need(tx, self._need(await self._flagged(tx, known.id), at, TICKET_REOPENED), now)

    async def note(self, tx: AsyncConnection, known: Known, change: str, words: str, now: datetime) -> bool:
        """Note it on the response's case; False when that has ended."""
        command = commands.NoteRevision(
            actor=SYSTEM, response_id=known.id, change=change, words=words, alert=change != Change.DETAILS
        )
        applied = await self._cases.apply(tx, str(known.case_id), command, now)
        return not applied.case.ended

    async def _flagged(self, tx: AsyncConnection, id_: str) -> Flagged:
        row = await responses.row_of(tx, id_)
        account = await directory.account_view(tx, row["account_id"])
        why = ""
        if account is None:
            why = (await self._finder.account(tx, row["source"], row["account_hint"], row["requester_email"])).words
        role = await directory.contact_role(tx, row["account_id"], row["requester_email"])
        return Flagged(row, account, why, role)

    def _need(self, flagged: Flagged, started_at: datetime, cause: str) -> Need:
        row, account = flagged.row, flagged.account
        clues = self._finder.clues(row["source"], row["account_hint"], row["requester_email"])
        return Need(
            account=account,
            why_no_account=flagged.why_no_account,
            account_key=key_of_account(account.id) if account else orphan_key(clues, row["record_id"]),
            cause=cause,
            started_at=started_at,
            words=" ".join(row["reasons"]),
            response_id=row["id"],
            had_case=row.get("case_id") is not None,
            role=flagged.role,
            answer=_answer(row, started_at) if cause == RESPONSE else None,
            facts={"source": row["source"], "metric": row["metric"], "score": row["normalised_score"]},
        )


def _answer(row: Mapping[Any, Any], at: datetime) -> Answer:
    who_and_where = (row["id"], row["requester_email"], row["source"], row["ticket_id"])
    return Answer(*who_and_where, at, row["metric"], row["normalised_score"])
