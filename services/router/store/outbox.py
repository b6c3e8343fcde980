"""Notices are rows first: inserted with what they are about, in the same transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.tables import notices
from shared.db.statements import unless_there

_ADD = unless_there(notices)
_HOLDERS = select(notices.c.recipient).where(
    notices.c.case_id == bindparam("case"), notices.c.kind == "card", notices.c.state != "dead"
)
_REDRAW = update(notices).where(notices.c.case_id == bindparam("case"), notices.c.kind == "card")


async def add(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """A notice of the same kind and cause to the same person is there once (uq_notices_once)."""
    if rows:
        await connection.execute(_ADD.on(connection), rows)


async def holders(connection: AsyncConnection, case_id: str) -> set[str]:
    """Who has, or is about to get, a card of this case."""
    return set((await connection.execute(_HOLDERS, {"case": case_id})).scalars())


async def redraw(connection: AsyncConnection, case_id: str, version: int) -> None:
    """Every card of the case shall show this version."""
    await connection.execute(_REDRAW, {"case": case_id, "desired_rev": version})


async def load(connection: AsyncConnection, notice_id: str) -> RowMapping | None:
    statement = select(notices).where(notices.c.id == notice_id).with_for_update()
    return (await connection.execute(statement)).mappings().first()


async def give_up(connection: AsyncConnection, notice_id: str, why: str) -> None:
    await connection.execute(update(notices).where(notices.c.id == notice_id).values(state="dead", error=why))


async def park(connection: AsyncConnection, notice_id: str, why: str) -> None:
    """A person must put something right first; health and doctor show it."""
    await connection.execute(update(notices).where(notices.c.id == notice_id).values(state="parked", error=why))


async def release(connection: AsyncConnection, case_id: str, recipient: str, at: datetime) -> None:
    """What is held for this person about this case goes no later than then."""
    held = (notices.c.state == "pending", notices.c.attempt == 0, notices.c.not_before > at)
    await connection.execute(
        update(notices)
        .where(notices.c.case_id == case_id, notices.c.recipient == recipient, notices.c.kind != "digest", *held)
        .values(not_before=at)
    )


async def list_in_digest(connection: AsyncConnection, notice_id: str, entry: dict[str, Any]) -> None:
    """Name a case in a digest that waits, once."""
    found = await load(connection, notice_id)
    if found is None or found["state"] != "pending":
        return
    others = [item for item in found["data"]["cases"] if item["id"] != entry["id"]]
    await connection.execute(
        update(notices).where(notices.c.id == notice_id).values(data={**found["data"], "cases": [*others, entry]})
    )


async def withdraw_reminders(connection: AsyncConnection, case_id: str) -> None:
    """A reminder not yet sent is pointless once the touch is there."""
    await connection.execute(
        update(notices)
        .where(
            notices.c.case_id == case_id,
            notices.c.state == "pending",
            notices.c.attempt == 0,
            notices.c.kind.in_(["reminder", "escalation", "close_out", "close_out_reminder"]),
        )
        .values(state="dead", error="superseded before it was sent")
    )
