"""Open cases by what is due, a person's or everybody's: counted, and read one page at a time."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.domain.agenda import PAGE, Agenda, Part
from services.router.domain.view import CaseView
from services.router.store.cases import NOT_ENDED
from services.router.store.views import load_views
from services.router.tables import cases

_WAITS = cases.c.status.in_(["open", "acknowledged"])
_ORDER = {part: number for number, part in enumerate(Part)}


async def agenda(connection: AsyncConnection, owner: str, now: datetime, day_ends: datetime) -> Agenda:
    """`day_ends` is the owner's next midnight."""
    own = select(_part(now, day_ends).label("part"), cases.c.id, cases.c.version).where(
        cases.c.owner == owner, NOT_ENDED
    )
    rows = own.subquery()
    sums = (func.count(), func.sum(rows.c.version), func.min(rows.c.id), func.max(rows.c.id))
    statement = select(rows.c.part, *sums).group_by(rows.c.part).order_by(rows.c.part)
    found = [tuple(row) for row in await connection.execute(statement)]
    covered = await _count(connection, cases.c.covers_for == owner)
    led = await _count(connection, (cases.c.support_lead == owner) & (cases.c.owner != owner))
    counts = {one: sum(row[1] for row in found if row[0] == number) for one, number in _ORDER.items()}
    return Agenda(counts, covered, repr((found, covered, led)), led)


async def _count(connection: AsyncConnection, *which: ColumnElement[bool]) -> int:
    statement = select(func.count()).select_from(cases).where(*which, NOT_ENDED)
    return int((await connection.execute(statement)).scalar_one())


async def total(connection: AsyncConnection, owner: str | None) -> int:
    """How many open cases this owner has, or (None) there are."""
    return await _count(connection, *_owned_by(owner))


async def page_of(
    connection: AsyncConnection, owner: str | None, now: datetime, day_ends: datetime, page: int
) -> list[tuple[Part, CaseView]]:
    """At most PAGE cases of this owner, or (None) of everybody, the most urgent first; `page` counts from 0."""
    part = _part(now, day_ends).label("part")
    due = case((_WAITS, cases.c.touch_due_at), else_=cases.c.close_out_due_at)
    statement = (
        select(cases.c.id, part)
        .where(*_owned_by(owner), NOT_ENDED)
        .order_by(part, due, cases.c.opened_at, cases.c.id)
        .limit(PAGE)
        .offset(page * PAGE)
    )
    found = (await connection.execute(statement)).all()
    views = await load_views(connection, [row.id for row in found])
    parts = list(Part)
    return [(parts[row.part], views[row.id]) for row in found]


def _owned_by(owner: str | None) -> list[ColumnElement[bool]]:
    return [] if owner is None else [cases.c.owner == owner]


def _part(now: datetime, day_ends: datetime) -> ColumnElement[Any]:
    """The place of a case's part in Part."""
    return case(
        (and_(_WAITS, cases.c.touch_due_at <= now), literal(_ORDER[Part.OVERDUE])),
        (and_(_WAITS, cases.c.touch_due_at < day_ends), literal(_ORDER[Part.TODAY])),
        (_WAITS, literal(_ORDER[Part.LATER])),
        else_=literal(_ORDER[Part.CLOSE_OUT]),
    )
