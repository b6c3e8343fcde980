"""Queries that find rows which break a promise of the design; each answers with the first hundred."""

from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, exists, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.audit.facts.standing import NOT_ENDED
from services.router.tables import cases, deadlines, mails, notices, responses, touch_clocks

_MOST = 100
_WAITING_NOTICE = text("notices.state IN ('pending', 'sending', 'uncertain')")
_WAITING_DEADLINE = text("deadlines.done_at IS NULL")
_GUARDS = ("touch_due", "escalation")
_CLOSE_OUT = ("close_out", "close_out_reminder", "close_out_overdue")


async def flagged_without_case(connection: AsyncConnection, since: datetime | None) -> list[str]:
    """Ids of responses that are flagged, not late, withdrawn or held by the grace, and have no case.
    `since` is the earliest received_at looked at; None looks at all."""
    held = exists().where(deadlines.c.response_id == responses.c.id, _WAITING_DEADLINE)
    wanted = and_(
        responses.c.flagged.is_(True),
        responses.c.late.is_(False),
        responses.c.withdrawn.is_(False),
        responses.c.case_id.is_(None),
        ~held,
    )
    statement = select(responses.c.id).where(wanted)
    if since is not None:
        statement = statement.where(responses.c.received_at >= since)
    return await _ids(connection, statement)


async def cases_without_owner(connection: AsyncConnection) -> list[str]:
    return await _ids(connection, select(cases.c.id).where(NOT_ENDED, ~cases.c.owner.contains("@")))


async def accounts_with_two_cases(connection: AsyncConnection) -> list[str]:
    # An expression, so that SQLite does not walk the index on account_id through all of history.
    account = cases.c.account_id.concat("")
    twice = select(account).where(NOT_ENDED, account.is_not(None)).group_by(account).having(func.count() > 1)
    return await _ids(connection, twice)


async def waiting_without_deadline(connection: AsyncConnection, now: datetime) -> list[str]:
    """Cases with a clock that no touch covers and no deadline guards: nobody would be told. A clock still running
    needs its own; one that is overdue is guarded by the case's escalation, or by a younger clock."""
    guarded = exists().where(
        deadlines.c.case_id == cases.c.id,
        _WAITING_DEADLINE,
        deadlines.c.kind.in_(_GUARDS),
        or_(deadlines.c.clock_id == touch_clocks.c.id, touch_clocks.c.due_at <= now),
    )
    waiting = select(cases.c.id).join(touch_clocks, touch_clocks.c.case_id == cases.c.id)
    return await _ids(connection, waiting.where(NOT_ENDED, touch_clocks.c.touched_at.is_(None), ~guarded).distinct())


async def touched_without_close_out(connection: AsyncConnection) -> list[str]:
    """Touched or resolved cases whose close-out question was neither asked nor will be."""
    planned = exists().where(deadlines.c.case_id == cases.c.id, _WAITING_DEADLINE, deadlines.c.kind.in_(_CLOSE_OUT))
    unasked = or_(cases.c.close_out_due_at.is_(None), cases.c.close_out_asked_at.is_(None))
    return await _ids(
        connection,
        select(cases.c.id).where(NOT_ENDED, cases.c.status.in_(["touched", "resolved"]), unasked, ~planned),
    )


async def unfired_deadlines(connection: AsyncConnection, before: datetime) -> list[str]:
    """Cases with a deadline that fell due before then and was not fired."""
    late = select(func.coalesce(deadlines.c.case_id, deadlines.c.response_id))
    return await _ids(connection, late.where(_WAITING_DEADLINE, deadlines.c.due_at < before))


async def unsent_alerts(connection: AsyncConnection, before: datetime) -> list[str]:
    """Cases whose alert (a card, or a response that joined) has waited since before then; what [noise] holds
    back waits from when it may go."""
    held = and_(notices.c.attempt == 0, notices.c.not_before >= before)
    late = select(notices.c.case_id).where(_WAITING_NOTICE, notices.c.priority == 0, notices.c.created_at < before)
    return await _ids(connection, late.where(or_(notices.c.not_before.is_(None), ~held)).distinct())


async def undelivered(connection: AsyncConnection, before: datetime) -> list[str]:
    """Cases that are not ended with an alert parked in Slack, for which no e-mail went out either since before then."""
    never = mails.c.state.in_(["unset", "failed"])
    silent = or_(never, and_(mails.c.state == "pending", mails.c.created_at < before))
    parked = exists().where(notices.c.id == mails.c.notice_id, notices.c.state != "sent")
    statement = select(mails.c.case_id).join(cases, cases.c.id == mails.c.case_id)
    return await _ids(connection, statement.where(NOT_ENDED, silent, parked).distinct())


async def _ids(connection: AsyncConnection, statement: Select[Any]) -> list[str]:
    return [str(found) for found in (await connection.execute(statement.limit(_MOST))).scalars()]
