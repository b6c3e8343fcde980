"""The only way to change a case: load, decide, write it all in the caller's transaction (G4)."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.calendars import build_calendars
from services.router.domain import commands, noise, owners
from services.router.domain.absence import absences
from services.router.domain.arrivals import SYSTEM, Opening, alerted, open_case
from services.router.domain.case import Case
from services.router.domain.decide import REPEATED_WITHIN, decide
from services.router.domain.decision import Context, InvalidCommand, Refused
from services.router.domain.journal import Sealed, seal
from services.router.domain.severity import Stakes, Verdict, assess
from services.router.domain.sla import terms_for
from services.router.domain.view import AccountView
from services.router.store import cases as rows
from services.router.store import covers, deadlines, directory, outbox, people, requests, responses
from services.router.writing import New, Writer
from shared import ids
from shared.errors import CloseloopError
from shared.policy import Policy

__all__ = ["Applied", "Cases", "InvalidCommand", "Need", "NotFound", "Refused"]

REPEAT_WINDOW = timedelta(days=90)
_TRUST_UNREACHABLE = timedelta(hours=1)
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


class NotFound(CloseloopError):
    """There is no such case or account."""


@dataclass(frozen=True, slots=True)
class Applied:
    """`repeated`: the same command was applied before, nothing changed. `text` is a sentence for people."""

    case: Case
    repeated: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Something that needs a person: a flagged response, a ticket reopened after its rating, or a call.
    `started_at` is when the clocks start; `why_no_account` is shown when `account` is None; `had_case`: the response
    has opened or joined a case before."""

    account: AccountView | None
    why_no_account: str
    account_key: str
    cause: str
    started_at: datetime
    words: str
    actor: str = SYSTEM
    response_id: str | None = None
    had_case: bool = False
    role: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    answer: noise.Answer | None = None


def key_of_account(account_id: str) -> str:
    return f"account:{account_id}"


class Cases:
    """Stateless but for the policy; any number of routers may write at once."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._calendars = build_calendars(policy)
        self._writer = Writer(policy)

    async def apply(self, tx: AsyncConnection, case_id: str, command: commands.Command, now: datetime) -> Applied:
        """Raises NotFound, Refused or InvalidCommand; then nothing was written."""
        before = await rows.load(tx, case_id)
        if before is None:
            raise NotFound(f"There is no case {case_id}.")
        account = await directory.account_view(tx, before.account_id)
        if isinstance(command, commands.Reopen):
            await self._refuse_second_open(tx, before)
        reach = await self.reach(tx, now)
        chain = owners.escalation(account, before.owner, self._policy.routing, *reach)
        context = self._context(account, before.severity.value, now, chain)
        if isinstance(command, commands.Reassign):
            context = replace(context, unfit=owners.unfit(command.new_owner.strip().lower(), reach))
        if isinstance(command, commands.LogTouch):
            context = replace(context, reply=await directory.last_reply(tx, case_id))
        decision = decide(before, command, context)
        if decision.repeated or not decision.entries:
            return Applied(before, decision.repeated, decision.text)
        after = await self._writer.write(tx, before, decision, account, reach, now)
        return Applied(after, False, decision.text)

    async def hold(self, tx: AsyncConnection, case_ids: Iterable[str]) -> set[str]:
        """Those of the cases whose notices this transaction may write now; the others are being written elsewhere."""
        return await rows.hold(tx, case_ids)

    async def record_alerts(
        self, tx: AsyncConnection, alerts: Mapping[str, Sequence[commands.RecordAlert]], now: datetime
    ) -> None:
        """What `apply` does with each of these, by case, in few statements for many cases: an alert adds to the journal
        and changes nothing else. Cases that do not exist are passed over."""
        heads = await rows.heads(tx, sorted(alerts))
        sealed: list[Sealed] = []
        for case_id, (seq, head) in heads.items():
            for command in alerts[case_id]:
                entry = alerted(command)
                seq += 1
                sealed.append(seal(head, case_id, seq, now, entry.actor, entry.type, entry.data))
                head = sealed[-1].hash
        await rows.advance(tx, sealed)

    async def raise_need(self, tx: AsyncConnection, need: Need, now: datetime) -> Case:
        """Open a case, or join the one that is open for the account; either way somebody owns it (G6)."""
        return (await self.raise_needs(tx, [need], now))[0]

    async def raise_needs(self, tx: AsyncConnection, needs: Sequence[Need], now: datetime) -> list[Case]:
        """The case of each, opened in few statements for all. What may be held back is weighed one by one, because
        then each alert counts for the next."""
        if self._policy.noise.holds and len(needs) > 1:
            return [await self.raise_need(tx, need, now) for need in needs]
        there = await rows.open_cases_of(tx, sorted({need.account_key for need in needs}))
        first = {need.account_key: need for need in reversed(needs) if need.account_key not in there}
        # In the same order everywhere: routers that open cases of the same accounts wait, and do not deadlock.
        opened = await self._open(tx, [first[key] for key in sorted(first)], now) if first else {}
        return [
            opened[need.account_key]
            if first.get(need.account_key) is need and need.account_key in opened
            else await self._join(tx, need, now)
            for need in needs
        ]

    async def _join(self, tx: AsyncConnection, need: Need, now: datetime) -> Case:
        existing = await rows.open_case_of(tx, need.account_key)
        if existing is None:
            raise rows.Overtaken("the account's case was opened and closed at the same moment")
        again = await self._again(tx, existing, need)
        if again is not None:
            return await self._join_quietly(tx, existing, need, again, now)
        verdict = (await self._assess(tx, [need], now))[0]
        join = commands.Join(
            actor=need.actor,
            cause=need.cause,
            response_id=need.response_id,
            started_at=need.started_at,
            severity=verdict.severity,
            facts=_facts(need),
            words=need.words,
        )
        joined = await self.apply(tx, existing, join, now)
        await self._link(tx, [(need, joined.case)])
        return joined.case

    async def _again(self, tx: AsyncConnection, case_id: str, need: Need) -> noise.Again | None:
        """What the answer repeats, as long as the touch promised for that is still to come."""
        case = await rows.load(tx, case_id)
        if case is None or need.answer is None:
            return None
        rules = self._policy.noise
        span = max(rules.repeat_within, rules.duplicate_within, rules.robot_within)
        earlier = await responses.answers_of_case(tx, case_id, need.answer.at - span, need.answer.at + span)
        waiting = {clock.response_id for clock in case.waiting_clocks}
        own = [item for item in earlier if item.person == need.answer.person]
        if not any(item.response_id in waiting for item in own):
            return None
        answer = replace(need.answer, comment=await responses.comment_of(tx, need.answer.response_id))
        return noise.again(answer, own, rules)

    async def _join_quietly(
        self, tx: AsyncConnection, case_id: str, need: Need, again: noise.Again, now: datetime
    ) -> Case:
        join = commands.JoinQuietly(
            actor=need.actor,
            cause=again.cause,
            response_id=str(need.response_id),
            of=again.of,
            flagged_at=need.started_at,
            facts=_facts(need),
            words=f"{again.words} {need.words}",
        )
        joined = await self.apply(tx, case_id, join, now)
        await self._link(tx, [(need, joined.case)])
        await responses.revise(tx, join.response_id, {"reasons": [again.words, need.words]})
        return joined.case

    async def open_by_hand(
        self, tx: AsyncConnection, *, account_id: str, actor: str, subject: str, now: datetime, key: str | None = None
    ) -> Case:
        """ "The customer phoned": the same case as for a low score. The same again, under the same `key` or, without
        one, within 15 minutes, is answered with the case of the first (G8). Raises NotFound, InvalidCommand."""
        account = await directory.account_view(tx, account_id)
        if account is None:
            raise NotFound(f"There is no account {account_id}.")
        if not subject.strip():
            raise InvalidCommand("subject", "Say what the customer told you.")
        request = ids.derive("opened by hand", account_id, actor, subject, key or "")
        if not await requests.claim(tx, request, now, _EVER if key else now - REPEATED_WITHIN):
            first = await rows.load(tx, await requests.case_of(tx, request))
            assert first is not None
            return first
        need = Need(
            account=account,
            why_no_account="",
            account_key=key_of_account(account_id),
            cause="manual",
            started_at=now,
            words=subject,
            actor=actor,
        )
        case = await self.raise_need(tx, need, now)
        await requests.led_to(tx, request, case.id)
        return case

    async def adopt(self, tx: AsyncConnection, case_id: str, account: AccountView, now: datetime) -> None:
        """An orphan's account became known: the case moves there, or is merged into the one that is open."""
        target_id = await rows.open_case_of(tx, key_of_account(account.id))
        if target_id is None:
            await self._move(tx, case_id, account, now)
        else:
            await self._merge(tx, case_id, target_id, now)
        await responses.give_to_account(tx, case_id if target_id is None else target_id, account.id)

    async def follow_directory(self, tx: AsyncConnection, account: AccountView, now: datetime) -> None:
        """The account's CSM or lead changed: its open cases move too, unless reassigned by hand."""
        reach = await self.reach(tx, now)
        choice = owners.owner(account, "", self._policy.routing, *reach)
        lead = owners.lead(account, self._policy.routing, *reach)
        for case_id in await rows.open_cases_of_account(tx, account.id):
            case = await rows.load(tx, case_id)
            if case is None:
                continue
            if not case.owner_pinned and (case.owner, case.covers_for) != (choice.email, choice.covers_for):
                await self.apply(tx, case_id, owner_change(choice), now)
            if case.support_lead != lead.email:
                await self.apply(
                    tx, case_id, commands.ChangeLead(actor=SYSTEM, lead=lead.email, reason=lead.reason), now
                )

    async def recipient_unreachable(self, tx: AsyncConnection, notice_id: str, why: str, now: datetime) -> bool:
        """Slack cannot reach the recipient of this notice (whom the caller has remembered as unreachable): the next
        person gets the case, or the message, at once. False when nobody is left: the notice is parked, to be seen in
        health, and others must be told."""
        notice = await outbox.load(tx, notice_id)
        if notice is None or notice["state"] == "sent":
            return True
        case = await rows.load(tx, notice["case_id"])
        if case is None or case.ended:
            await outbox.give_up(tx, notice_id, why)
            return True
        account = await directory.account_view(tx, case.account_id)
        known = await self.reach(tx, now)
        reach = owners.Reach({**known.unreachable, notice["recipient"]: why}, known.absences)
        command = self._replacement(case, notice["recipient"], account, reach, notice["since"])
        if command is not None:
            await outbox.give_up(tx, notice_id, why)
            await self.apply(tx, case.id, command, now)
        elif not await self._writer.escalate_past(tx, case, notice, account, reach, now):
            await outbox.park(tx, notice_id, why)
            return False
        return True

    def _replacement(
        self,
        case: Case,
        lost: str,
        account: AccountView | None,
        reach: owners.Reach,
        since: datetime | None,
    ) -> commands.Command | None:
        routing = self._policy.routing
        if case.owner == lost:
            if case.covers_for is not None:
                choice = owners.instead_of(case.covers_for, account, routing, *reach)
            else:
                choice = owners.owner(account, f"{lost}: {reach.unreachable[lost]}", routing, *reach)
            return None if choice.email == lost else owner_change(choice, since)
        if case.support_lead == lost:
            choice = owners.lead(account, routing, *reach)
            change = commands.ChangeLead(actor=SYSTEM, lead=choice.email, reason=choice.reason, since=since)
            return None if choice.email == lost else change
        return None

    async def _open(self, tx: AsyncConnection, needs: Sequence[Need], now: datetime) -> dict[str, Case]:
        """By account key, a case for each; without those whose account got one at the same moment."""
        reach = await self.reach(tx, now)
        verdicts = await self._assess(tx, needs, now)
        fresh = []
        for need, verdict in zip(needs, verdicts, strict=True):
            opening = self._opening(need, verdict, reach)
            decision = open_case(opening, self._context(need.account, verdict.severity.value, now))
            fresh.append(New(decision, need.account_key, need.account))
        opened = await self._writer.write_new(tx, fresh, reach, now)
        await self._link(tx, [(need, opened[need.account_key]) for need in needs if need.account_key in opened])
        return opened

    def _opening(self, need: Need, verdict: Verdict, reach: owners.Reach) -> Opening:
        choice = owners.owner(need.account, need.why_no_account, self._policy.routing, *reach)
        first_time = None if need.had_case else need.response_id
        return Opening(
            case_id=ids.case_id(first_time or ids.new_id(), need.cause),
            account_id=need.account.id if need.account else None,
            account_name=need.account.name if need.account else "Unknown account",
            owner=choice.email,
            owner_reason=choice.reason,
            covers_for=choice.covers_for,
            support_lead=owners.lead(need.account, self._policy.routing, *reach).email,
            severity=verdict.severity,
            severity_words=verdict.words,
            cause=need.cause,
            response_id=need.response_id,
            started_at=need.started_at,
            facts=_facts(need),
            words=need.words,
            actor=need.actor,
        )

    async def _move(self, tx: AsyncConnection, case_id: str, account: AccountView, now: datetime) -> None:
        before = await rows.load(tx, case_id)
        if before is None or before.ended:
            return
        reach = await self.reach(tx, now)
        choice = owners.owner(account, "", self._policy.routing, *reach)
        own = next((clock.response_id for clock in before.clocks if clock.response_id), None)
        low = await responses.earlier_low(tx, [account.id], now - REPEAT_WINDOW, [own])
        stakes = Stakes(account.arr, account.renewal_date, None, low[account.id])
        verdict = assess(stakes, self._policy.severity, now.date())
        command = commands.MoveToAccount(
            actor=SYSTEM,
            account_id=account.id,
            account_name=account.name,
            owner=choice.email,
            owner_reason=choice.reason,
            covers_for=choice.covers_for,
            support_lead=owners.lead(account, self._policy.routing, *reach).email,
            severity=verdict.severity,
        )
        decision = decide(before, command, self._context(account, verdict.severity.value, now))
        await self._writer.write(tx, before, decision, account, reach, now, account_key=key_of_account(account.id))

    async def _merge(self, tx: AsyncConnection, case_id: str, target_id: str, now: datetime) -> None:
        merged = await rows.load(tx, case_id)
        if merged is None or merged.ended:
            return
        await deadlines.move(tx, case_id, target_id)
        await responses.give_to_case(tx, case_id, target_id)
        await self.apply(tx, case_id, commands.MergeInto(actor=SYSTEM, into=target_id), now)
        absorb = commands.Absorb(actor=SYSTEM, merged=case_id, clocks=merged.clocks, severity=merged.severity)
        await self.apply(tx, target_id, absorb, now)
        await rows.move_clocks(tx, case_id, target_id)

    async def _link(self, tx: AsyncConnection, met: Sequence[tuple[Need, Case]]) -> None:
        await responses.link(
            tx, [(need.response_id, case.id, need.started_at) for need, case in met if need.response_id]
        )

    async def _assess(self, tx: AsyncConnection, needs: Sequence[Need], now: datetime) -> list[Verdict]:
        accounts = [need.account.id for need in needs if need.account]
        own = [need.response_id for need in needs]
        low = await responses.earlier_low(tx, accounts, now - REPEAT_WINDOW, own)
        return [assess(_stakes(need, low), self._policy.severity, now.date()) for need in needs]

    async def _refuse_second_open(self, tx: AsyncConnection, case: Case) -> None:
        other = await rows.open_case_beside(tx, case.id)
        if other is not None:
            raise Refused(f"{case.account_name} has an open case, {other}: act there.")

    async def reach(self, tx: AsyncConnection, now: datetime) -> owners.Reach:
        """Who cannot take a case at this moment."""
        unreachable = await people.unreachable(tx, now - _TRUST_UNREACHABLE)
        return owners.Reach(unreachable, absences(await covers.holding(tx, now), now))

    def _context(
        self,
        account: AccountView | None,
        severity: str,
        now: datetime,
        chain: Mapping[int, owners.Choice] | None = None,
    ) -> Context:
        tier, segment = (account.tier, account.segment) if account else (None, None)
        terms = terms_for(self._policy.sla, severity, tier, segment)
        return Context(now, terms, self._policy.version, self._calendars, chain or {})


def owner_change(choice: owners.Choice, since: datetime | None = None) -> commands.ChangeOwner:
    return commands.ChangeOwner(
        actor=SYSTEM,
        owner=choice.email,
        reason=choice.reason,
        role=choice.role,
        since=since,
        covers_for=choice.covers_for,
    )


def _stakes(need: Need, low: Counter[str | None]) -> Stakes:
    account = need.account
    if account is None:
        return Stakes(role=need.role)
    return Stakes(account.arr, account.renewal_date, need.role, low[account.id])


def _facts(need: Need) -> dict[str, Any]:
    group = {"tier": need.account.tier, "segment": need.account.segment} if need.account else {}
    return {**need.facts, "group": group}
