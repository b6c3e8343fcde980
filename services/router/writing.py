"""Writes a decision: journal, case, clocks, deadlines and notices, all in the caller's transaction."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.domain import owners
from services.router.domain.case import Case, Status
from services.router.domain.decision import CancelDeadlines, Decision, Entry, NoticeKind, StartDeadline, Tell
from services.router.domain.journal import GENESIS, Sealed, seal
from services.router.domain.view import AccountView
from services.router.holding import Holding
from services.router.store import cases as rows
from services.router.store import deadlines, outbox, texts
from shared import ids
from shared.policy import Policy

# What is said in the thread of a card; somebody without a card gets a card instead.
_IN_THREAD = frozenset(
    {NoticeKind.JOINED, NoticeKind.REOPENED, NoticeKind.REMINDER, NoticeKind.ESCALATION, NoticeKind.NOTE}
)


class Writer:
    def __init__(self, policy: Policy) -> None:
        self._routing = policy.routing
        self._holding = Holding(policy)

    async def write_new(
        self,
        tx: AsyncConnection,
        decision: Decision,
        account_key: str,
        account: AccountView | None,
        reach: owners.Reach,
        now: datetime,
    ) -> Case | None:
        """None when the account has an open case already."""
        sealed, kept = _seal(decision.case, decision.entries, now)
        case = _headed(decision.case, sealed)
        if not await rows.add(tx, case, account_key):
            return None
        await self._append(tx, sealed, kept)
        await self._follow(tx, case, decision, account, reach, now, held=set())
        return case

    async def write(
        self,
        tx: AsyncConnection,
        before: Case,
        decision: Decision,
        account: AccountView | None,
        reach: owners.Reach,
        now: datetime,
        account_key: str | None = None,
    ) -> Case:
        """Raises Overtaken when somebody else wrote the case meanwhile."""
        sealed, kept = _seal(before, decision.entries, now)
        after = _headed(decision.case, sealed)
        await rows.save(tx, before, after, account_key)
        await self._append(tx, sealed, kept)
        if after.status is not before.status and after.status not in (Status.OPEN, Status.ACKNOWLEDGED):
            await outbox.withdraw_reminders(tx, after.id)
        if after.version != before.version:
            await outbox.redraw(tx, after.id, after.version)
        await self._follow(tx, after, decision, account, reach, now)
        return after

    async def _append(self, tx: AsyncConnection, sealed: Sequence[Sealed], kept: Sequence[texts.Text]) -> None:
        await texts.add(tx, kept)
        await rows.append(tx, sealed)

    async def _follow(
        self,
        tx: AsyncConnection,
        case: Case,
        decision: Decision,
        account: AccountView | None,
        reach: owners.Reach,
        now: datetime,
        held: set[str] | None = None,
    ) -> None:
        """Deadlines and notices. `held`: who has a card of the case, where that is known."""
        for cancel in (effect for effect in decision.effects if isinstance(effect, CancelDeadlines)):
            await deadlines.cancel(tx, case.id, cancel, now)
        started = [effect for effect in decision.effects if isinstance(effect, StartDeadline)]
        await deadlines.start(tx, case.id, started)
        for tell in (effect for effect in decision.effects if isinstance(effect, Tell)):
            if held is None:
                held = await outbox.holders(tx, case.id)
            held |= await self._tell(tx, case, tell, held, account, reach, now)

    async def escalate_past(
        self,
        tx: AsyncConnection,
        case: Case,
        notice: RowMapping,
        account: AccountView | None,
        reach: owners.Reach,
        now: datetime,
    ) -> bool:
        """Send an escalation whose recipient is unreachable to the next of the chain. False when nobody is left."""
        chain = owners.escalation(account, case.owner, self._routing, *reach)
        choice = next((item for item in chain if item.email != notice["recipient"]), None)
        if choice is None or choice.email in reach.unreachable:
            return False
        await outbox.give_up(tx, notice["id"], reach.unreachable[notice["recipient"]])
        held = await outbox.holders(tx, case.id)
        kind = NoticeKind.ESCALATION if choice.email in held else NoticeKind.CARD
        tell = Tell(kind, notice["priority"], data=notice["data"], since=notice["since"])
        await self._add(tx, case, tell, [(kind, choice)], account, now)
        return True

    async def _tell(
        self,
        tx: AsyncConnection,
        case: Case,
        tell: Tell,
        held: set[str],
        account: AccountView | None,
        reach: owners.Reach,
        now: datetime,
    ) -> set[str]:
        """Returns who gets a card by it."""
        told = []
        for choice in self._audience(case, tell, account, reach):
            kind = _fitting(tell.kind, choice.email in held)
            if kind is not None:
                told.append((kind, choice))
        await self._add(tx, case, tell, told, account, now)
        return {choice.email for kind, choice in told if kind is NoticeKind.CARD}

    async def _add(
        self,
        tx: AsyncConnection,
        case: Case,
        tell: Tell,
        told: Sequence[tuple[NoticeKind, owners.Choice]],
        account: AccountView | None,
        now: datetime,
    ) -> None:
        plan = await self._holding.plan(tx, case, tell, [choice for _, choice in told], account, now)
        notices = [_row(case, tell, kind, choice, now, plan.until.get(choice.email)) for kind, choice in told]
        await outbox.add(tx, notices)
        await self._holding.settle(tx, case, notices, plan, now)

    def _audience(
        self, case: Case, tell: Tell, account: AccountView | None, reach: owners.Reach
    ) -> list[owners.Choice]:
        """The people, each once, in the first of their roles."""
        if tell.to is not None:
            return [tell.to]
        people: dict[str, owners.Choice] = {}
        for role in tell.roles:
            if role == "owner":
                people.setdefault(case.owner, owners.Choice(case.owner, role, case.owner_reason))
            elif case.support_lead:
                reason = owners.lead(account, self._routing, *reach).reason
                people.setdefault(case.support_lead, owners.Choice(case.support_lead, role, reason))
        return list(people.values())


def _fitting(kind: NoticeKind, has_card: bool) -> NoticeKind | None:
    if kind in _IN_THREAD and not has_card:
        return None if kind is NoticeKind.NOTE else NoticeKind.CARD
    if kind is NoticeKind.CARD and has_card:
        return NoticeKind.NOTE
    return kind


def _row(
    case: Case, tell: Tell, kind: NoticeKind, choice: owners.Choice, now: datetime, held: datetime | None
) -> dict[str, Any]:
    return {
        "id": ids.derive("notice", case.id, kind.value, str(case.seq), choice.email),
        "case_id": case.id,
        "kind": kind.value,
        "recipient": choice.email,
        "role": choice.role,
        "seq": case.seq,
        "data": {"why": choice.reason, **tell.data},
        "priority": tell.priority,
        "state": "pending",
        "created_at": now,
        "since": tell.since,
        "not_before": held,
        "desired_rev": case.version,
    }


def _seal(before: Case, entries: Sequence[Entry], now: datetime) -> tuple[list[Sealed], list[texts.Text]]:
    """The entries as they are appended after `before`, and the texts that are kept beside them."""
    sealed: list[Sealed] = []
    kept: list[texts.Text] = []
    head = before.head_hash or GENESIS
    for number, entry in enumerate(entries, start=before.seq + 1):
        own = {name: texts.text(body, now, case_id=before.id) for name, body in entry.texts.items()}
        data = {**entry.data, **{name: text.stands_for for name, text in own.items()}}
        sealed.append(seal(head, before.id, number, now, entry.actor, entry.type, data))
        kept += own.values()
        head = sealed[-1].hash
    return sealed, kept


def _headed(case: Case, sealed: Sequence[Sealed]) -> Case:
    return replace(case, seq=sealed[-1].seq, head_hash=sealed[-1].hash)
