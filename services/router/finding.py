"""Finds whose a response is: by what it says of its sender, else by what its ticket says."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.domain.matching import Clues, Match, clues_of, match
from services.router.store import directory
from shared.events.catalog import SurveyResponded
from shared.free_mail import FREE_MAIL
from shared.policy import Policy

Sender = tuple[str, Mapping[str, Any], str | None]
"""What is said of who answered: source, account_hint and e-mail."""


class Finder:
    def __init__(self, policy: Policy) -> None:
        self._free_mail = FREE_MAIL | frozenset(policy.routing.free_mail_domains)

    def clues(self, source: str, hint: Mapping[str, Any], email: str | None) -> Clues:
        return clues_of(source, hint, email, self._free_mail)

    async def accounts(self, tx: AsyncConnection, senders: Sequence[Sender]) -> list[Match]:
        """One for each, in a few queries for all."""
        many = [self.clues(*sender) for sender in senders]
        return [match(*both) for both in zip(many, await directory.find_each(tx, many), strict=True)]

    async def account(self, tx: AsyncConnection, source: str, hint: Mapping[str, Any], email: str | None) -> Match:
        return (await self.accounts(tx, [(source, hint, email)]))[0]

    async def accounts_of(self, tx: AsyncConnection, answers: Sequence[SurveyResponded]) -> list[Match]:
        senders = [(answer.source, answer.account_hint, answer.requester_email) for answer in answers]
        matches = await self.accounts(tx, senders)
        return [
            found if found.account_id else await self._by_ticket(tx, answer) or found
            for answer, found in zip(answers, matches, strict=True)
        ]

    async def account_of(self, tx: AsyncConnection, answer: SurveyResponded) -> Match:
        return (await self.accounts_of(tx, [answer]))[0]

    async def _by_ticket(self, tx: AsyncConnection, answer: SurveyResponded) -> Match | None:
        ticket = await directory.ticket_of(tx, answer.source, answer.ticket_id)
        if ticket is None:
            return None
        found = await self.account(tx, answer.source, ticket["account_hint"], ticket["requester_email"])
        return found if found.account_id else None
