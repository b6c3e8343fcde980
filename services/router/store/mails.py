"""E-mails that stand in for alerts which Slack did not bring: rows first, sent by a loop of their own."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import exists, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.domain.case import ENDED
from services.router.tables import cases, mails, notices
from shared.db.statements import unless_there

PENDING, SENT, FAILED, UNSET, DROPPED = "pending", "sent", "failed", "unset", "dropped"
NOTICE_WAITS = text("notices.state IN ('pending', 'sending', 'uncertain')")
_ADD = unless_there(mails)
_WAITING = text("mails.state IN ('pending', 'unset')")


@dataclass(frozen=True, slots=True)
class Mail:
    """`notice_id` could not be delivered to `meant_for`, because of `why`. `unset`: there is no SMTP server yet."""

    id: str
    notice_id: str
    case_id: str
    recipient: str
    meant_for: str
    why: str
    state: str
    created_at: datetime
    attempt: int


async def add(tx: AsyncConnection, rows: Sequence[dict[str, Any]]) -> int:
    """How many are new: of one notice everybody is told once, however often it is parked."""
    added = 0
    for row in rows:
        added += (await tx.execute(_ADD.on(tx), row)).rowcount
    return added


async def waiting(connection: AsyncConnection, now: datetime, since: datetime, limit: int) -> list[Mail]:
    """Those to send now, oldest first; older than `since` nobody needs them any more."""
    statement = (
        select(*(mails.c[name] for name in Mail.__slots__))
        .where(_WAITING, mails.c.created_at >= since, (mails.c.not_before.is_(None)) | (mails.c.not_before <= now))
        .order_by(mails.c.created_at)
        .limit(limit)
    )
    return [Mail(**row) for row in (await connection.execute(statement)).mappings()]


async def refusal(connection: AsyncConnection, codes: Collection[str]) -> str | None:
    """The one of `codes` with which the last attempt at a waiting notice was refused."""
    statement = select(notices.c.error).where(NOTICE_WAITS, notices.c.error.in_(list(codes))).limit(1)
    return (await connection.execute(statement)).scalar_one_or_none()


async def unheard(connection: AsyncConnection, kinds: Collection[str], before: datetime, limit: int) -> list[str]:
    """Notices of these kinds that were to go before then, still wait, and of which nobody was mailed; oldest first.
    Of a case that has ended nobody needs to hear."""
    since = func.coalesce(notices.c.not_before, notices.c.created_at)
    held = (notices.c.attempt == 0) & (since > before)
    statement = (
        select(notices.c.id)
        .where(NOTICE_WAITS, notices.c.kind.in_(sorted(kinds)), notices.c.created_at <= before, ~held)
        .where(~exists().where(mails.c.case_id == notices.c.case_id, mails.c.notice_id == notices.c.id))
        .where(exists().where(cases.c.id == notices.c.case_id, cases.c.status.not_in(sorted(ENDED))))
        .order_by(notices.c.created_at, notices.c.id)
        .limit(limit)
    )
    return list((await connection.execute(statement)).scalars())


async def sent(tx: AsyncConnection, mail_id: str, now: datetime) -> None:
    await tx.execute(update(mails).where(mails.c.id == mail_id).values(state=SENT, sent_at=now, error=None))


async def again(tx: AsyncConnection, mail_id: str, at: datetime, why: str) -> None:
    values = {"attempt": mails.c.attempt + 1, "not_before": at, "error": why, "state": PENDING}
    await tx.execute(update(mails).where(mails.c.id == mail_id).values(**values))


async def end(tx: AsyncConnection, mail_id: str, state: str, why: str) -> None:
    await tx.execute(update(mails).where(mails.c.id == mail_id).values(state=state, error=why))


async def unsent(connection: AsyncConnection, before: datetime) -> int:
    """How many have waited since before then, or will never go out by themselves."""
    statement = select(func.count()).where(_WAITING, mails.c.created_at < before)
    return (await connection.execute(statement)).scalar_one()
