"""What reaches a case from outside: opening it, further responses, revisions, and changes in the directory."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from services.router.domain import clocks, commands
from services.router.domain.case import Case, Severity, Status, TouchClock
from services.router.domain.decision import (
    ALL_KINDS,
    CLOSE_OUT_KINDS,
    CancelDeadlines,
    Context,
    DeadlineKind,
    Decision,
    Effect,
    Entry,
    NoticeKind,
    Priority,
    StartDeadline,
    Tell,
)
from services.router.domain.owners import Choice
from services.router.domain.words import iso

SYSTEM = "system"
BOTH = ("owner", "support_lead")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What opens a case. `cause` is response, ticket_reopened or manual; `started_at` is received_at (clocks start
    there, not when we got round to it); `facts` go into the journal for the audit (source, metric, score, group)."""

    case_id: str
    account_id: str | None
    account_name: str
    owner: str
    owner_reason: str
    support_lead: str | None
    severity: Severity
    severity_words: str
    cause: str
    response_id: str | None
    started_at: datetime
    facts: dict[str, Any]
    words: str
    actor: str = SYSTEM
    covers_for: str | None = None


def open_case(opening: Opening, ctx: Context) -> Decision:
    """A new case with its first clock, a card to the owner and one to the support lead."""
    case = Case(
        id=opening.case_id,
        status=Status.OPEN,
        severity=opening.severity,
        account_id=opening.account_id,
        account_name=opening.account_name,
        owner=opening.owner,
        owner_reason=opening.owner_reason,
        covers_for=opening.covers_for,
        support_lead=opening.support_lead,
        opened_at=opening.started_at,
        terms=ctx.terms,
        policy_version=ctx.policy_version,
        version=0,
    )
    clock = clocks.new_clock(case, opening.cause, ctx, opening.started_at, opening.response_id)
    case = replace(case, version=1, clocks=(clock,))
    data = {
        "account_id": opening.account_id,
        "owner": opening.owner,
        "owner_reason": opening.owner_reason,
        "severity": opening.severity.value,
        "severity_words": opening.severity_words,
        "cause": opening.cause,
        "response_id": opening.response_id,
        "clock_id": clock.id,
        "flagged_at": iso(opening.started_at),
        "touch_due_at": iso(clock.due_at),
        "policy_version": ctx.policy_version,
        **_covering(opening.covers_for),
        **opening.facts,
    }
    entry = Entry("opened", opening.actor, data, {"words": opening.words})
    card = Tell(NoticeKind.CARD, Priority.ALERT, BOTH, since=opening.started_at)
    return Decision(case, (entry,), (*clocks.guard(clock, ctx.terms, ctx.now), card))


def join(case: Case, command: commands.Join, ctx: Context) -> Decision:
    """Never swallowed because someone had acknowledged: the case is open again, with one more clock."""
    started_at = clocks.own_start(case, command.started_at)
    clock = clocks.new_clock(case, command.cause, ctx, started_at, command.response_id)
    raised = max(case.severity, command.severity, key=lambda severity: severity.rank)
    changed = replace(
        clocks.awaiting_touch(case),
        severity=raised,
        clocks=(*case.clocks, clock),
        terms=ctx.terms,
        policy_version=ctx.policy_version,
    )
    entry = Entry(
        "response_joined",
        command.actor,
        {
            "cause": command.cause,
            "response_id": command.response_id,
            "clock_id": clock.id,
            "flagged_at": iso(started_at),
            "touch_due_at": iso(clock.due_at),
            "severity": raised.value,
            "policy_version": ctx.policy_version,
            **command.facts,
        },
        {"words": command.words},
    )
    told = Tell(
        NoticeKind.JOINED,
        Priority.ALERT,
        BOTH,
        data={"response_id": command.response_id, "words": command.words},
        since=started_at,
    )
    effects: tuple[Effect, ...] = (CancelDeadlines(CLOSE_OUT_KINDS), *clocks.guard(clock, ctx.terms, ctx.now), told)
    return Decision(changed, (entry,), effects)


def join_quietly(case: Case, command: commands.JoinQuietly, ctx: Context) -> Decision:
    data = {
        "cause": command.cause,
        "response_id": command.response_id,
        "of": command.of,
        "flagged_at": iso(command.flagged_at),
        **command.facts,
    }
    return Decision(case, (Entry("response_joined", command.actor, data, {"words": command.words}),))


def note_revision(case: Case, command: commands.NoteRevision, ctx: Context) -> Decision:
    data = {"response_id": command.response_id, "change": command.change}
    entry = Entry("response_revised", command.actor, data, {"words": command.words})
    told = Tell(NoticeKind.NOTE, Priority.BACKGROUND, BOTH, data={"words": command.words})
    return Decision(case, (entry,), (told,) if command.alert and not case.ended else ())


def change_owner(case: Case, command: commands.ChangeOwner, ctx: Context) -> Decision:
    """Whoever had it keeps the card and is not called any more."""
    if case.ended or (case.owner, case.covers_for) == (command.owner, command.covers_for):
        return Decision(case, repeated=True)
    changed = replace(case, owner=command.owner, owner_reason=command.reason, covers_for=command.covers_for)
    data = {"from": case.owner, "to": command.owner, "role": command.role, "reason": command.reason}
    entry = Entry("owner_changed", command.actor, {**data, **_covering(command.covers_for)})
    if case.owner == command.owner:
        return Decision(changed, (entry,))
    card = Tell(NoticeKind.CARD, Priority.ALERT, data={"why": command.reason}, since=command.since)
    return Decision(changed, (entry,), (card, *ask_new_owner(changed)))


def ask_new_owner(case: Case) -> tuple[Tell, ...]:
    """A close-out question that waits for an answer is asked again."""
    waits = case.close_out_asked_at is not None and not case.waiting_clocks and not case.ended
    return (Tell(NoticeKind.CLOSE_OUT, Priority.REMINDER),) if waits else ()


def change_lead(case: Case, command: commands.ChangeLead, ctx: Context) -> Decision:
    if case.ended or case.support_lead == command.lead:
        return Decision(case, repeated=True)
    data = {"from": case.support_lead, "to": command.lead, "reason": command.reason}
    card = Tell(NoticeKind.CARD, Priority.ALERT, ("support_lead",), data={"why": command.reason}, since=command.since)
    changed = replace(case, support_lead=command.lead)
    return Decision(changed, (Entry("lead_changed", command.actor, data),), (card,))


def move(case: Case, command: commands.MoveToAccount, ctx: Context) -> Decision:
    """An orphan goes to its account: new owner and lead, the promised times unchanged."""
    keep = case.owner_pinned
    raised = max(case.severity, command.severity, key=lambda severity: severity.rank)
    changed = replace(
        case,
        account_id=command.account_id,
        account_name=command.account_name,
        owner=case.owner if keep else command.owner,
        owner_reason=case.owner_reason if keep else command.owner_reason,
        covers_for=case.covers_for if keep else command.covers_for,
        support_lead=command.support_lead,
        severity=raised,
    )
    data = {
        "account_id": command.account_id,
        "from": case.owner,
        "owner": changed.owner,
        "owner_reason": changed.owner_reason,
        "severity": raised.value,
    }
    card = Tell(NoticeKind.CARD, Priority.ALERT, BOTH, data={"why": "the account became known"})
    asked = ask_new_owner(changed) if changed.owner != case.owner else ()
    return Decision(changed, (Entry("moved", command.actor, data),), (card, *asked))


def merge(case: Case, command: commands.MergeInto, ctx: Context) -> Decision:
    """The account has an open case already: this one ends there, its clocks go with it."""
    changed = replace(case, status=Status.CLOSED, closed_at=ctx.now, merged_into=command.into, clocks=())
    data = {"into": command.into, "clocks": [clock.id for clock in case.clocks]}
    return Decision(changed, (Entry("merged", command.actor, data),), (CancelDeadlines(ALL_KINDS),))


def absorb(case: Case, command: commands.Absorb, ctx: Context) -> Decision:
    moved = tuple(replace(clock, joined_version=case.version + 1) for clock in command.clocks)
    waiting = any(clock.touched_at is None for clock in moved)
    raised = max(case.severity, command.severity, key=lambda severity: severity.rank)
    changed = clocks.awaiting_touch(case) if waiting else case
    changed = replace(changed, clocks=(*case.clocks, *moved), severity=raised)
    data = {
        "from_case": command.merged,
        "clocks": [clock.id for clock in moved],
        "severity": raised.value,
        "cause": "merged",
    }
    told = Tell(NoticeKind.JOINED, Priority.ALERT, BOTH, data={"words": f"{command.merged} was merged into this case"})
    effects: list[Effect] = [told]
    if waiting:
        effects.append(CancelDeadlines(CLOSE_OUT_KINDS))
    if _overdue(moved, ctx) and not _overdue(case.clocks, ctx):
        # The escalation of the merged case ended with it.
        effects.append(StartDeadline(DeadlineKind.ESCALATION, ctx.now + case.terms.escalate_every))
    return Decision(changed, (Entry("response_joined", command.actor, data),), tuple(effects))


def _overdue(some: Iterable[TouchClock], ctx: Context) -> bool:
    return any(clock.touched_at is None and clock.due_at <= ctx.now for clock in some)


def record_alert(case: Case, command: commands.RecordAlert, ctx: Context) -> Decision:
    return Decision(case, (alerted(command),))


def record_reveal(case: Case, command: commands.RecordReveal, ctx: Context) -> Decision:
    data = {"fields": list(command.fields), "where": command.where}
    return Decision(case, (Entry("revealed", command.actor, data),))


def record_undelivered(case: Case, command: commands.RecordUndelivered, ctx: Context) -> Decision:
    """The support lead learns at once; what is told in place of an alert (`stands_in`) is not told of again."""
    data = {"notice_id": command.notice_id, "kind": command.kind, "meant_for": command.meant_for}
    entry = Entry("alert_undelivered", command.actor, {**data, "why": command.why, "told": command.tell})
    if command.tell is None:
        return Decision(case, (entry,))
    words = f"an alert did not reach {command.meant_for} in Slack ({command.why}): please make sure somebody acts"
    choice = Choice(command.tell, "support_lead", words)
    told = Tell(NoticeKind.CARD, Priority.ALERT, (), choice, {"words": words, "stands_in": True})
    return Decision(case, (entry,), (told,))


def alerted(command: commands.RecordAlert) -> Entry:
    """The journal entry of an alert: the same whatever the case, which it does not change."""
    seconds = None if command.since is None else round((command.sent_at - command.since).total_seconds(), 3)
    data = {
        "notice_id": command.notice_id,
        "role": command.role,
        "sent_at": iso(command.sent_at),
        "since": iso(command.since),
        "seconds": seconds,
    }
    return Entry("alerted", command.actor, data)


def _covering(covers_for: str | None) -> dict[str, Any]:
    return {"covers_for": covers_for} if covers_for else {}
