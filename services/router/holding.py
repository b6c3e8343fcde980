"""When each notice may be sent: folds what is over a CSM's budget into the morning digest, keeps quiet hours."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.domain import digests, noise
from services.router.domain.calendar import zone_of
from services.router.domain.case import Case
from services.router.domain.decision import NoticeKind, Priority, Tell
from services.router.domain.owners import Choice
from services.router.domain.view import AccountView
from services.router.store import budgets, outbox, people
from shared import ids
from shared.policy import Policy

# They call somebody to the case at once: its card, if held, comes out with them.
_CALLS = frozenset(NoticeKind) - {NoticeKind.NOTE, NoticeKind.DIGEST}


@dataclass(frozen=True, slots=True)
class Plan:
    """Who gets theirs later, and whose goes with the digest then."""

    until: dict[str, datetime]
    digest: frozenset[str] = frozenset()


class Holding:
    def __init__(self, policy: Policy) -> None:
        self._noise = policy.noise
        self._soon = policy.severity.renewal_within

    async def plan(
        self,
        tx: AsyncConnection,
        case: Case,
        tell: Tell,
        audience: Sequence[Choice],
        account: AccountView | None,
        now: datetime,
    ) -> Plan:
        """Folded for the owner, an alert is folded for the support lead as well."""
        if not self._noise.holds or not audience:
            return Plan({})
        folded = (
            self._noise.weekly_budget > 0
            and noise.folds(case, tell, account, self._soon, now)
            and await budgets.alerts_of(tx, case.owner, now - noise.WEEK) > self._noise.weekly_budget
        )
        known = await people.find(tx, [choice.email for choice in audience])
        until: dict[str, datetime] = {}
        digest = set()
        for choice in audience:
            person = known.get(choice.email)
            zone = zone_of(person.timezone if person else None, self._noise.timezone)
            at = noise.held_until(case, self._noise, zone, now, folded)
            if at is not None:
                until[choice.email] = at
                # A touch that falls due before the morning does not wait for it.
                if folded and at >= noise.next_at(self._noise.digest_at, zone, now):
                    digest.add(choice.email)
        return Plan(until, frozenset(digest))

    async def settle(
        self, tx: AsyncConnection, case: Case, rows: Sequence[dict[str, Any]], plan: Plan, now: datetime
    ) -> None:
        """After these notices were added: a card still held does not keep back what calls its reader earlier, and
        the digests name what was folded into them."""
        if not self._noise.holds:
            return
        for row in rows:
            email = row["recipient"]
            if row["kind"] in _CALLS:
                await outbox.release(tx, case.id, email, plan.until.get(email, now))
            if email in plan.digest:
                await self._list(tx, case, email, row["role"], plan.until[email], now)

    async def _list(self, tx: AsyncConnection, case: Case, email: str, role: str, at: datetime, now: datetime) -> None:
        id_, entry = ids.derive("digest", email, at.isoformat()), digests.folded(case)
        row = {
            "id": id_,
            "case_id": case.id,
            "kind": NoticeKind.DIGEST.value,
            "recipient": email,
            "role": role,
            "seq": 0,
            "data": {"cases": [entry]},
            "priority": Priority.ALERT,
            "state": "pending",
            "created_at": now,
            "not_before": at,
            "desired_rev": case.version,
        }
        await outbox.add(tx, [row])
        await outbox.list_in_digest(tx, id_, entry)
