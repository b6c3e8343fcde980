"""Who covers for whom and when: rows of the cover table, and the cases an absence concerns."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, or_, select, tuple_, union_all, update
from sqlalchemy import insert as plain_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.domain.absence import Cover
from services.router.store.cases import NOT_ENDED
from services.router.tables import accounts, cases, covers

_COVER = [covers.c[name] for name in Cover.__slots__]


_BEGUN = select(*_COVER).where(covers.c.ended_at.is_(None), covers.c.starts_at <= bindparam("at"))
# Two, because SQLite reads all the past for one with OR.
_HOLDING = union_all(
    _BEGUN.where(covers.c.ends_at.is_(None)),
    _BEGUN.where(covers.c.ends_at > bindparam("at")),
)


@dataclass(frozen=True, slots=True)
class Record:
    """A cover with where it came from. `source` is api, csv, slack or status_hint."""

    cover: Cover
    source: str
    reason: str
    created_by: str


async def add(tx: AsyncConnection, record: Record, look_at: datetime | None) -> None:
    cover = {name: getattr(record.cover, name) for name in Cover.__slots__}
    facts = {"source": record.source, "reason": record.reason, "created_by": record.created_by}
    await tx.execute(plain_insert(covers).values(**cover, **facts, look_at=look_at))


async def load(connection: AsyncConnection, cover_id: str) -> Record | None:
    statement = select(covers).where(covers.c.id == cover_id).with_for_update()
    return next(iter(await _records(connection, statement)), None)


async def same(connection: AsyncConnection, cover: Cover) -> Record | None:
    """A cover that says just this already and was not ended early."""
    statement = select(covers).where(
        covers.c.person == cover.person,
        covers.c.cover.is_not_distinct_from(cover.cover),
        covers.c.starts_at == cover.starts_at,
        covers.c.ends_at.is_not_distinct_from(cover.ends_at),
        covers.c.ended_at.is_(None),
    )
    return next(iter(await _records(connection, statement)), None)


async def end(tx: AsyncConnection, cover_id: str, by: str, now: datetime) -> None:
    """Ended early; its cases are to be looked at now."""
    values = {"ended_at": now, "ended_by": by, "look_at": now}
    await tx.execute(update(covers).where(covers.c.id == cover_id).values(**values))


async def holding(connection: AsyncConnection, at: datetime) -> list[Cover]:
    """The covers of that instant, but for those ended early."""
    return [Cover(*row) for row in await connection.execute(_HOLDING, {"at": at})]


async def during(connection: AsyncConnection, begins_at: datetime, ends_at: datetime | None) -> list[Cover]:
    """Those that hold at some time from then until `ends_at` (None: for ever)."""
    statement = select(*_COVER).where(
        covers.c.ended_at.is_(None), or_(covers.c.ends_at.is_(None), covers.c.ends_at > begins_at)
    )
    if ends_at is not None:
        statement = statement.where(covers.c.starts_at < ends_at)
    return [Cover(*row) for row in await connection.execute(statement)]


async def listed(
    connection: AsyncConnection,
    now: datetime,
    *,
    person: str | None = None,
    past: bool = False,
    limit: int = 500,
    after: tuple[datetime, str] | None = None,
) -> list[Record]:
    """Present and coming ones in order of their start; with `past` those that are over, newest first. `after` is the
    start and id of the last one seen."""
    live = covers.c.ended_at.is_(None) & or_(covers.c.ends_at.is_(None), covers.c.ends_at > now)
    statement = select(covers).where(~live if past else live).limit(limit)
    if person is not None:
        statement = statement.where(covers.c.person == person)
    place = tuple_(covers.c.starts_at, covers.c.id)
    if after is not None:
        statement = statement.where(place < after if past else place > after)
    order = (covers.c.starts_at.desc(), covers.c.id.desc()) if past else (covers.c.starts_at, covers.c.id)
    return await _records(connection, statement.order_by(*order))


async def next_due(connection: AsyncConnection, now: datetime) -> Cover | None:
    """The next one whose cases must be looked at."""
    statement = select(*_COVER).where(covers.c.look_at <= now).order_by(covers.c.look_at, covers.c.id).limit(1)
    row = (await connection.execute(statement)).mappings().first()
    return None if row is None else Cover(**row)


async def claim(tx: AsyncConnection, cover_id: str, now: datetime) -> bool:
    """Note the next look at it in this transaction; False when another router was first (G5)."""
    due = select(*_COVER).where(covers.c.id == cover_id, covers.c.look_at <= now).with_for_update()
    row = (await tx.execute(due)).mappings().first()
    if row is None:
        return False
    await tx.execute(update(covers).where(covers.c.id == cover_id).values(look_at=Cover(**row).next_look(now)))
    return True


async def cases_owned(connection: AsyncConnection, person: str) -> list[str]:
    """Open cases this person has, and those that anybody has for somebody else."""
    theirs = select(cases.c.id).where(cases.c.owner == person, NOT_ENDED)
    covered = select(cases.c.id).where(cases.c.covers_for.is_not(None), NOT_ENDED)
    return await _ids(connection, theirs, covered)


async def cases_led(connection: AsyncConnection, person: str, away: Collection[str], by_policy: bool) -> list[str]:
    """Open cases this person leads, or that one of `away` would lead; all open ones where the lead `by_policy` is
    among them."""
    theirs = select(cases.c.id).where(cases.c.support_lead == person, NOT_ENDED)
    of_accounts = (
        select(cases.c.id)
        .join(accounts, accounts.c.id == cases.c.account_id)
        .where(accounts.c.support_lead.in_(sorted({person, *away})), NOT_ENDED)
    )
    every = [select(cases.c.id).where(NOT_ENDED)] if by_policy else []
    return await _ids(connection, theirs, of_accounts, *every)


async def _ids(connection: AsyncConnection, *statements: Select[Any]) -> list[str]:
    found: set[str] = set()
    for statement in statements:
        found.update((await connection.execute(statement)).scalars().all())
    return sorted(found)


async def _records(connection: AsyncConnection, statement: Select[Any]) -> list[Record]:
    rows = (await connection.execute(statement)).mappings()
    return [
        Record(Cover(**{name: row[name] for name in Cover.__slots__}), row["source"], row["reason"], row["created_by"])
        for row in rows
    ]
