"""The outbox as its sender sees it: what waits, what is under way, and what became of it.

The literal conditions are those of the partial indexes: SQLite uses one only when it reads the very same words.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, case, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.tables import cases, notices

_WAITING = text("notices.state IN ('pending', 'sending', 'uncertain')")
_PARKED = text("notices.state = 'parked'")
_STALE = text("notices.state = 'sent' AND notices.desired_rev > notices.published_rev")
CALLS = ("reminder", "escalation", "close_out_reminder")


@dataclass(frozen=True, slots=True)
class Row:
    """A notice. `attempt_started_at` and `attempt_ended_at` belong to the last call; `looks` were made since."""

    id: str
    case_id: str
    kind: str
    recipient: str
    role: str
    seq: int
    data: dict[str, Any]
    priority: int
    state: str
    created_at: datetime
    since: datetime | None
    not_before: datetime | None
    attempt: int
    attempt_started_at: datetime | None
    attempt_ended_at: datetime | None
    looks: int
    destination: str | None
    channel: str | None
    ts: str | None
    thread_ts: str | None
    sent_at: datetime | None
    repeat: bool
    desired_rev: int
    published_rev: int


# Of what one batch wrote at the same instant, a card goes before what stands in its thread.
_TURN = (notices.c.priority, notices.c.created_at, notices.c.seq, notices.c.id)
_COLUMNS = [notices.c[name] for name in Row.__slots__]


_WAITS = select(*_COLUMNS).where(
    _WAITING,
    notices.c.state == "pending",
    or_(notices.c.not_before.is_(None), notices.c.not_before <= bindparam("now")),
)
_WAITS_TURN = _WAITS.order_by(*_TURN).limit(bindparam("most"))
_WAITS_TURN_OF_OTHERS = _WAITS.where(notices.c.recipient.not_in(bindparam("passed", expanding=True)))
_WAITS_TURN_OF_OTHERS = _WAITS_TURN_OF_OTHERS.order_by(*_TURN).limit(bindparam("most"))
_UNSETTLED = select(*_COLUMNS).where(_WAITING, notices.c.state.in_(["sending", "uncertain"]))
_STALE_CARDS = (
    select(*_COLUMNS)
    .join(cases, cases.c.id == notices.c.case_id)
    .where(_STALE)
    .order_by(cases.c.last_command_at.desc().nulls_last())
    .limit(bindparam("most"))
)
_CARDS_OF = (
    select(*_COLUMNS)
    .where(notices.c.case_id.in_(bindparam("cases", expanding=True)), notices.c.kind == "card")
    .order_by(notices.c.created_at.desc())
)
_STATES = (
    select(notices.c.id, notices.c.state)
    .where(notices.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(notices.c.id)
    .with_for_update()
)
# What a case's own transaction is writing is left for the next round: the others do not wait for it.
_STILL_WAITING = (
    select(notices.c.id)
    .where(notices.c.id.in_(bindparam("ids", expanding=True)), notices.c.state == "pending")
    .with_for_update(skip_locked=True)
)
_PUBLISHED = update(notices).where(
    notices.c.id.in_(bindparam("ids", expanding=True)), notices.c.published_rev < bindparam("rev")
)


@dataclass(frozen=True, slots=True)
class Arrived:
    """A notice that is on display."""

    id: str
    place: str
    ts: str
    rev: int
    at: datetime


async def waiting(connection: AsyncConnection, now: datetime, limit: int, without: Collection[str]) -> list[Row]:
    """Notices to send now, in order, but for those of the recipients in `without`."""
    if without:
        return await _rows(connection, _WAITS_TURN_OF_OTHERS, now=now, most=limit, passed=list(without))
    return await _rows(connection, _WAITS_TURN, now=now, most=limit)


async def unsettled(connection: AsyncConnection) -> list[Row]:
    """Notices of which it is not known whether they arrived."""
    return await _rows(connection, _UNSETTLED)


async def stale_cards(connection: AsyncConnection, limit: int) -> list[Row]:
    """Cards on display that do not show the newest state of their case; first those on which a person acted last, so
    that nobody waits for what they did to be shown behind a thousand cards that changed by themselves."""
    return await _rows(connection, _STALE_CARDS, most=limit)


async def cards_of(connection: AsyncConnection, case_ids: Collection[str]) -> list[Row]:
    """All cards of these cases, newest first."""
    if not case_ids:
        return []
    return await _rows(connection, _CARDS_OF, cases=list(case_ids))


async def find(connection: AsyncConnection, notice_id: str) -> Row | None:
    return next(iter(await _rows(connection, select(*_COLUMNS).where(notices.c.id == notice_id))), None)


async def oldest_waiting(connection: AsyncConnection) -> datetime | None:
    """Since when; what was held back until some time waits from then on."""
    held = and_(notices.c.attempt == 0, notices.c.not_before.is_not(None))
    since = case((held, notices.c.not_before), else_=notices.c.created_at)
    return (await connection.execute(select(func.min(since)).where(_WAITING))).scalar_one_or_none()


async def parked_until(connection: AsyncConnection, now: datetime) -> list[str]:
    """Parked notices that are to be tried again by now."""
    return list((await connection.execute(select(notices.c.id).where(_PARKED, notices.c.not_before <= now))).scalars())


async def claim(
    tx: AsyncConnection, places: Mapping[str, str], threads: Mapping[str, str | None], now: datetime
) -> set[str]:
    """Write down that a call for each of these is about to be made, and where to; returns those that still waited and
    that no other transaction is writing."""
    waiting = set((await tx.execute(_STILL_WAITING, {"ids": list(places)})).scalars())
    if waiting:
        rows = [{"of": key, "place": places[key], "thread": threads[key], "now": now} for key in sorted(waiting)]
        await tx.execute(_CLAIM, rows)
    return waiting


async def arrive(tx: AsyncConnection, arrived: Sequence[Arrived]) -> set[str]:
    """These are on display; returns those that were not known to be."""
    if not arrived:
        return set()
    states = await tx.execute(_STATES, {"ids": [item.id for item in arrived]})
    new = {id_ for id_, state in states if state != "sent"}
    rows = [
        {"of": item.id, "place": item.place, "at_ts": item.ts, "rev": item.rev, "at": item.at}
        for item in arrived
        if item.id in new
    ]
    if rows:
        await tx.execute(_ARRIVE, rows)
    return new


async def postpone(tx: AsyncConnection, notice_id: str, until: datetime, why: str) -> None:
    """Certainly not sent: again from then on."""
    await _change(tx, notice_id, ("sending",), state="pending", not_before=until, error=why)


async def hasten(tx: AsyncConnection, now: datetime) -> None:
    """What another sender postponed may go now, so that what came later in its place does not overtake it."""
    await tx.execute(
        update(notices)
        .where(_WAITING, notices.c.state == "pending", notices.c.attempt > 0, notices.c.not_before > now)
        .values(not_before=None)
    )


async def doubt(tx: AsyncConnection, notice_id: str, ended_at: datetime, look_at: datetime, why: str) -> None:
    """The answer was lost."""
    values = {"attempt_ended_at": ended_at, "not_before": look_at, "error": why}
    await _change(tx, notice_id, ("sending", "uncertain"), state="uncertain", **values)


async def looked(tx: AsyncConnection, notice_id: str, looks: int, look_at: datetime) -> None:
    await _change(tx, notice_id, ("uncertain",), looks=looks, not_before=look_at)


async def repeat(tx: AsyncConnection, notice_id: str) -> None:
    """Not found in all the looks: send it again, marked."""
    await _change(tx, notice_id, ("uncertain",), state="pending", repeat=True, not_before=None)


async def end(tx: AsyncConnection, notice_id: str, state: str, why: str, until: datetime | None = None) -> None:
    """`dead`: not needed any more. `parked`: a person must put something right; tried again at `until`."""
    before = ("pending", "sending", "uncertain", "parked")
    await _change(tx, notice_id, before, state=state, error=why, not_before=until)


async def unpark(tx: AsyncConnection, notice_ids: Collection[str]) -> None:
    statement = update(notices).where(notices.c.id.in_(list(notice_ids)), notices.c.state == "parked")
    await tx.execute(statement.values(state="pending", not_before=None))


async def published(tx: AsyncConnection, notice_ids: Iterable[str], rev: int) -> None:
    """Cards show this revision; never backwards."""
    await tx.execute(_PUBLISHED, {"ids": list(notice_ids), "rev": rev, "published_rev": rev})


async def display_again(tx: AsyncConnection, notice_ids: Iterable[str]) -> None:
    """Somebody deleted the card while its case goes on: it is wanted afresh."""
    statement = update(notices).where(notices.c.id.in_(list(notice_ids)), notices.c.state == "sent")
    await tx.execute(statement.values(state="pending", channel=None, ts=None, published_rev=0, not_before=None))


async def collapse_calls(tx: AsyncConnection) -> int:
    """Of several unsent reminders to one person about one case only the newest is kept; it says how many it stands
    for. Returns how many were dropped."""
    statement = (
        select(*_COLUMNS)
        .where(_WAITING, notices.c.state == "pending", notices.c.kind.in_(CALLS))
        .order_by(notices.c.created_at.desc(), notices.c.seq.desc())
    )
    newest: dict[tuple[str, str], Row] = {}
    stands_for: dict[str, int] = {}
    for row in await _rows(tx, statement):
        kept = newest.setdefault((row.case_id, row.recipient), row)
        if kept is not row:
            stands_for[kept.id] = stands_for.get(kept.id, 0) + 1 + int(row.data.get("collapsed", 0))
            await _change(tx, row.id, ("pending",), state="dead", error="superseded by a newer reminder")
    for row in newest.values():
        if row.id in stands_for:
            missed = stands_for[row.id] + int(row.data.get("collapsed", 0))
            await _change(tx, row.id, ("pending",), data={**row.data, "collapsed": missed})
    return sum(stands_for.values())


async def adopt(tx: AsyncConnection, notice_id: str, case_id: str, place: str, ts: str, now: datetime) -> Row | None:
    """A person clicked on a message we were not sure of: it is there. Returns the notice when that was news."""
    statement = update(notices).where(
        and_(notices.c.id == notice_id, notices.c.case_id == case_id, notices.c.state.not_in(["sent", "dead"]))
    )
    values = {"channel": place, "destination": place, "ts": ts, "sent_at": now, "error": None, "not_before": None}
    shown = case((notices.c.kind == "card", 0), else_=notices.c.desired_rev)
    if not (await tx.execute(statement.values(state="sent", published_rev=shown, **values))).rowcount:
        return None
    return await find(tx, notice_id)


_CLAIM = (
    update(notices)
    .where(notices.c.id == bindparam("of"))
    .values(
        state="sending",
        destination=bindparam("place"),
        thread_ts=bindparam("thread"),
        attempt=notices.c.attempt + 1,
        attempt_started_at=bindparam("now"),
        attempt_ended_at=None,
        looks=0,
        not_before=None,
    )
)
_ARRIVE = (
    update(notices)
    .where(notices.c.id == bindparam("of"))
    .values(
        state="sent",
        channel=bindparam("place"),
        destination=bindparam("place"),
        ts=bindparam("at_ts"),
        published_rev=bindparam("rev"),
        sent_at=bindparam("at"),
        not_before=None,
        error=None,
    )
)


async def _change(tx: AsyncConnection, notice_id: str, before: Sequence[str], **values: Any) -> None:
    await tx.execute(
        update(notices).where(notices.c.id == notice_id, notices.c.state.in_(list(before))).values(**values)
    )


async def _rows(connection: AsyncConnection, statement: Any, **values: Any) -> list[Row]:
    return [Row(*row) for row in await connection.execute(statement, values)]
