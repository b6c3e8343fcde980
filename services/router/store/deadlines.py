"""Rows that say what falls due when. Claiming one and its effect are one transaction, so it fires once (G5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.domain.decision import CancelDeadlines, DeadlineKind, StartDeadline
from services.router.tables import deadlines
from shared import ids


@dataclass(frozen=True, slots=True)
class Deadline:
    id: str
    kind: DeadlineKind
    due_at: datetime
    step: int
    case_id: str | None
    clock_id: str | None
    response_id: str | None


_START = insert(deadlines)
_CANCEL = update(deadlines).where(
    deadlines.c.case_id == bindparam("case"),
    deadlines.c.done_at.is_(None),
    deadlines.c.kind.in_(bindparam("kinds", expanding=True)),
)
_CANCEL_OF_CLOCKS = _CANCEL.where(deadlines.c.clock_id.in_(bindparam("clocks", expanding=True)))
_NEXT = (
    select(deadlines)
    .where(deadlines.c.done_at.is_(None), deadlines.c.due_at <= bindparam("now"))
    .order_by(deadlines.c.due_at)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_CHANGE = update(deadlines).where(deadlines.c.id == bindparam("of"))


async def start(connection: AsyncConnection, started: Sequence[tuple[str, StartDeadline]]) -> None:
    """Each with its case."""
    rows = [
        {
            "id": ids.new_id(),
            "case_id": case_id,
            "clock_id": item.clock_id,
            "kind": item.kind.value,
            "step": item.step,
            "due_at": item.due_at,
        }
        for case_id, item in started
    ]
    if rows:
        await connection.execute(_START, rows)


async def hold(connection: AsyncConnection, response_id: str, until: datetime) -> None:
    """The grace of a response: it is flagged when this falls due, unless revised before."""
    row = {"id": ids.new_id(), "response_id": response_id, "kind": DeadlineKind.GRACE.value, "due_at": until}
    await connection.execute(_START, row)


async def cancel(connection: AsyncConnection, case_id: str, what: CancelDeadlines, now: datetime) -> None:
    asked = {
        "case": case_id,
        "kinds": sorted(kind.value for kind in what.kinds),
        "done_at": now,
        "outcome": "cancelled",
    }
    if what.clock_ids is None:
        await connection.execute(_CANCEL, asked)
    else:
        await connection.execute(_CANCEL_OF_CLOCKS, {**asked, "clocks": sorted(what.clock_ids)})


async def move(connection: AsyncConnection, from_case: str, into: str) -> None:
    """The touch deadlines of a merged case go with its clocks."""
    statement = update(deadlines).where(deadlines.c.case_id == from_case, deadlines.c.done_at.is_(None))
    await connection.execute(statement.where(deadlines.c.clock_id.is_not(None)).values(case_id=into))


async def claim_one(connection: AsyncConnection, now: datetime) -> Deadline | None:
    """The next due row, marked fired in this transaction; rows other routers hold are passed over."""
    row = (await connection.execute(_NEXT, {"now": now})).mappings().first()
    if row is None:
        return None
    await connection.execute(_CHANGE, {"of": row["id"], "done_at": now, "outcome": "fired"})
    return Deadline(
        row["id"],
        DeadlineKind(row["kind"]),
        row["due_at"],
        row["step"],
        row["case_id"],
        row["clock_id"],
        row["response_id"],
    )


async def postpone(connection: AsyncConnection, deadline_id: str, until: datetime) -> None:
    """Try this row again then; the promise itself stands in touch_clocks and is not moved."""
    await connection.execute(_CHANGE, {"of": deadline_id, "due_at": until})
