"""Writes a decision: journal, case, clocks, deadlines and notices, all in the caller's transaction."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.domain import owners
from services.router.domain.case import ENDED, Case, Status
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


# Not RESOLVED: what was called for before the touch is withdrawn by then, and the close-out question stands.
_ENDS_CALLS = ENDED | {Status.TOUCHED}


class New(NamedTuple):
    """A case to be opened; its decision tells nobody who has a card already."""

    decision: Decision
    account_key: str
    account: AccountView | None


class Telling(NamedTuple):
    """What is said about a case, and the people it is said to."""

    case: Case
    tell: Tell
    told: Sequence[tuple[NoticeKind, owners.Choice]]
    account: AccountView | None


class Writer:
    def __init__(self, policy: Policy) -> None:
        self._routing = policy.routing
        self._holding = Holding(policy)

    async def write_new(
        self, tx: AsyncConnection, fresh: Sequence[New], reach: owners.Reach, now: datetime
    ) -> dict[str, Case]:
        """By account key; in few statements for all. Those are left out whose account has an open case already."""
        sealed = [_seal(new.decision.case, new.decision.entries, now) for new in fresh]
        made = [_headed(new.decision.case, entries) for new, (entries, _) in zip(fresh, sealed, strict=True)]
        added = await rows.add(tx, [(case, new.account_key) for case, new in zip(made, fresh, strict=True)])
        written = [both for both in zip(made, fresh, sealed, strict=True) if both[0].id in added]
        await texts.add(tx, [text for _, _, (_, kept) in written for text in kept])
        await rows.append(tx, [entry for _, _, (entries, _) in written for entry in entries])
        await deadlines.start(tx, [item for case, new, _ in written for item in _started(case, new.decision)])
        told = [
            Telling(case, tell, self._told(case, tell, set(), new.account, reach), new.account)
            for case, new, _ in written
            for tell in new.decision.tells
        ]
        await self._add(tx, told, now)
        return {new.account_key: case for case, new, _ in written}

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
        await texts.add(tx, kept)
        await rows.append(tx, sealed)
        if after.status is not before.status and after.status in _ENDS_CALLS:
            await outbox.withdraw_reminders(tx, after.id)
        if after.version != before.version:
            await outbox.redraw(tx, after.id, after.version)
        await self._follow(tx, after, decision, account, reach, now)
        return after

    async def _follow(
        self,
        tx: AsyncConnection,
        case: Case,
        decision: Decision,
        account: AccountView | None,
        reach: owners.Reach,
        now: datetime,
    ) -> None:
        """Deadlines and notices."""
        for cancel in (effect for effect in decision.effects if isinstance(effect, CancelDeadlines)):
            await deadlines.cancel(tx, case.id, cancel, now)
        await deadlines.start(tx, _started(case, decision))
        held = await outbox.holders(tx, case.id) if decision.tells else set()
        for tell in decision.tells:
            told = self._told(case, tell, held, account, reach)
            await self._add(tx, [Telling(case, tell, told, account)], now)
            held |= {choice.email for kind, choice in told if kind is NoticeKind.CARD}

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
        choice = next((item for item in chain.values() if item.email != notice["recipient"]), None)
        if choice is None or choice.email in reach.unreachable:
            return False
        await outbox.give_up(tx, notice["id"], reach.unreachable[notice["recipient"]])
        held = await outbox.holders(tx, case.id)
        kind = NoticeKind.ESCALATION if choice.email in held else NoticeKind.CARD
        tell = Tell(kind, notice["priority"], data=notice["data"], since=notice["since"])
        await self._add(tx, [Telling(case, tell, [(kind, choice)], account)], now)
        return True

    def _told(
        self, case: Case, tell: Tell, held: Collection[str], account: AccountView | None, reach: owners.Reach
    ) -> list[tuple[NoticeKind, owners.Choice]]:
        """Who is told, and how; `held` are those who have a card of the case."""
        told = [
            (_fitting(tell.kind, choice.email in held), choice) for choice in self._audience(case, tell, account, reach)
        ]
        return [(kind, choice) for kind, choice in told if kind is not None]

    async def _add(self, tx: AsyncConnection, tellings: Sequence[Telling], now: datetime) -> None:
        plans = []
        for case, tell, told, account in tellings:
            plan = await self._holding.plan(tx, case, tell, [choice for _, choice in told], account, now)
            notices = [_row(case, tell, kind, choice, now, plan.until.get(choice.email)) for kind, choice in told]
            plans.append((case, notices, plan))
        await outbox.add(tx, [row for _, notices, _ in plans for row in notices])
        for case, notices, plan in plans:
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


def _started(case: Case, decision: Decision) -> list[tuple[str, StartDeadline]]:
    return [(case.id, effect) for effect in decision.effects if isinstance(effect, StartDeadline)]


def _headed(case: Case, sealed: Sequence[Sealed]) -> Case:
    return replace(case, seq=sealed[-1].seq, head_hash=sealed[-1].hash)
