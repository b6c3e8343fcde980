"""E-mails that stand in for alerts which Slack did not bring: rows first, sent by a loop of their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.tables import mails
from shared.db.statements import unless_there

PENDING, SENT, FAILED, UNSET, DROPPED = "pending", "sent", "failed", "unset", "dropped"
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
