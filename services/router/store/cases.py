"""Rows of cases: loading one to decide on, and writing what was decided."""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, insert, literal_column, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.domain.case import Case, Proof, Severity, Status, TouchClock
from services.router.domain.journal import Sealed
from services.router.domain.owners import FALLBACK
from services.router.domain.sla import Terms
from services.router.tables import cases, journal, touch_clocks
from shared.db.statements import Upsert, unless_there
from shared.errors import TransientError

# In the words of the partial indexes: SQLite uses one only when it reads the very same.
NOT_ENDED = cases.c.status.not_in([literal_column(f"'{status}'") for status in (Status.CLOSED, Status.DISMISSED)])
UNOWNED = cases.c.owner_reason.contains(FALLBACK) | (cases.c.owner == "")
_SET_APART = frozenset({"status", "severity", "terms", "clocks"})
_PLAIN = tuple(item.name for item in fields(Case) if item.name not in _SET_APART)


def overdue(now: datetime) -> ColumnElement[bool]:
    """A touch is due and not made."""
    return and_(cases.c.touch_due_at <= now, cases.c.status.in_([Status.OPEN.value, Status.ACKNOWLEDGED.value]))


_LOAD = select(cases).where(cases.c.id == bindparam("id"))
_LOAD_LOCKED = _LOAD.with_for_update()
_OPEN_CASES = select(cases.c.account_key, cases.c.id).where(
    cases.c.account_key.in_(bindparam("keys", expanding=True)), NOT_ENDED
)
# In the order of ids, as _HEADS: batches that join the same cases wait for one another, and never in a circle.
_OPEN_CASES_LOCKED = _OPEN_CASES.order_by(cases.c.id).with_for_update()
_ADD = unless_there(cases)
_SAVE = update(cases).where(cases.c.id == bindparam("of"), cases.c.seq == bindparam("seen_seq"))
_OF_THESE = select(cases.c.id).where(cases.c.id.in_(bindparam("ids", expanding=True)))
_OF_THESE_FREE = _OF_THESE.with_for_update(skip_locked=True)
_HEADS = (
    select(cases.c.id, cases.c.seq, cases.c.head_hash)
    .where(cases.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(cases.c.id)
    .with_for_update()
)
_ADVANCE = (
    update(cases).where(cases.c.id == bindparam("of")).values(seq=bindparam("new_seq"), head_hash=bindparam("new_head"))
)
_APPEND = insert(journal)
_CLOCKS = (
    select(touch_clocks)
    .where(touch_clocks.c.case_id.in_(bindparam("cases", expanding=True)))
    .order_by(touch_clocks.c.started_at, touch_clocks.c.id)
)
_WRITE_CLOCK = Upsert(
    touch_clocks,
    lambda insert: insert.on_conflict_do_update(
        index_elements=["id"],
        set_={name: insert.excluded[name] for name in ("touched_at", "touched_seq", "proof", "joined_version")},
    ),
)
_UNRELAYED = (
    select(journal, cases.c.status, cases.c.severity, cases.c.owner, cases.c.account_id)
    .join(cases, cases.c.id == journal.c.case_id)
    .where(journal.c.relayed_at.is_(None))
    .order_by(journal.c.at, journal.c.case_id, journal.c.seq)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True, of=journal)
)
_RELAYED = (
    update(journal)
    .where(journal.c.case_id == bindparam("of"), journal.c.seq == bindparam("number"))
    .values(relayed_at=bindparam("now"))
)


class Overtaken(TransientError):
    """Another router changed the case between load and write; the same again will work."""


async def load(connection: AsyncConnection, case_id: str, lock: bool = True) -> Case | None:
    """The case with its clocks; locked until the transaction ends (PostgreSQL)."""
    row = (await connection.execute(_LOAD_LOCKED if lock else _LOAD, {"id": case_id})).mappings().first()
    if row is None:
        return None
    clocks = await clocks_of(connection, [case_id])
    return to_case(row, clocks.get(case_id, ()))


async def open_case_of(connection: AsyncConnection, account_key: str) -> str | None:
    return (await open_cases_of(connection, [account_key])).get(account_key)


async def open_cases_of(connection: AsyncConnection, account_keys: Sequence[str]) -> dict[str, str]:
    """By account key; an account has one at the most. Locked until the transaction ends (PostgreSQL): what joins them
    must not find them closed meanwhile."""
    rows = await connection.execute(_OPEN_CASES_LOCKED, {"keys": account_keys})
    return {row.account_key: row.id for row in rows}


async def open_case_beside(connection: AsyncConnection, case_id: str) -> str | None:
    """The other case that is open for the same account, or for the same unknown company."""
    same = select(cases.c.account_key).where(cases.c.id == case_id).scalar_subquery()
    statement = select(cases.c.id).where(cases.c.account_key == same, NOT_ENDED, cases.c.id != case_id)
    return (await connection.execute(statement)).scalar_one_or_none()


async def open_cases_of_account(connection: AsyncConnection, account_id: str) -> list[str]:
    statement = select(cases.c.id).where(cases.c.account_id == account_id, NOT_ENDED)
    return list((await connection.execute(statement)).scalars())


async def open_orphans(connection: AsyncConnection) -> list[str]:
    statement = select(cases.c.id).where(cases.c.account_id.is_(None), NOT_ENDED).order_by(cases.c.id)
    return list((await connection.execute(statement)).scalars())


async def add(connection: AsyncConnection, fresh: Sequence[tuple[Case, str]]) -> set[str]:
    """Cases with their account keys; returns the ids of those that were added. The account of the others has an open
    case already (another router was first): reload and join."""
    await connection.execute(_ADD.on(connection), [{"account_key": key, **_values(case)} for case, key in fresh])
    there = await heads(connection, [case.id for case, _ in fresh])
    added = [case for case, _ in fresh if there.get(case.id) == (case.seq, case.head_hash)]
    await _write_clocks(connection, added)
    return {case.id for case in added}


async def save(connection: AsyncConnection, before: Case, case: Case, account_key: str | None = None) -> None:
    """Raises Overtaken when the journal's head is not where `before` saw it."""
    values = _values(case)
    if account_key is not None:
        values["account_key"] = account_key
    saved = await connection.execute(_SAVE, {"of": case.id, "seen_seq": before.seq, **values})
    if saved.rowcount != 1:
        raise Overtaken(f"case {case.id} was changed at the same moment")
    if case.clocks != before.clocks:
        await _write_clocks(connection, [case])


async def hold(connection: AsyncConnection, case_ids: Iterable[str]) -> set[str]:
    """Lock those of the cases that nobody else is writing, until the transaction ends (PostgreSQL). Whoever writes
    cases and their notices takes the case first; this never waits, so it takes part in no deadlock."""
    wanted = set(case_ids)
    if not wanted:
        return set()
    chosen = {"ids": sorted(wanted)}
    locked = set((await connection.execute(_OF_THESE_FREE, chosen)).scalars())
    if locked == wanted:
        return locked
    there = set((await connection.execute(_OF_THESE, chosen)).scalars())
    return locked | (wanted - there)


async def heads(connection: AsyncConnection, case_ids: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Where the journals of these cases end (seq and hash); locked until the transaction ends (PostgreSQL)."""
    found = await connection.execute(_HEADS, {"ids": list(case_ids)})
    return {row.id: (row.seq, row.head_hash) for row in found}


async def advance(connection: AsyncConnection, entries: Sequence[Sealed]) -> None:
    """Append to the journals of cases whose `heads` this transaction has locked."""
    if not entries:
        return
    await append(connection, entries)
    last = {entry.case_id: entry for entry in entries}
    await connection.execute(
        _ADVANCE, [{"of": entry.case_id, "new_seq": entry.seq, "new_head": entry.hash} for entry in last.values()]
    )


async def append(connection: AsyncConnection, entries: Sequence[Sealed]) -> None:
    if not entries:
        return
    rows = [
        {name: getattr(entry, name) for name in ("case_id", "seq", "at", "actor", "type", "data", "prev_hash", "hash")}
        for entry in entries
    ]
    await connection.execute(_APPEND, rows)


async def move_clocks(connection: AsyncConnection, from_case: str, into: str) -> None:
    """The clocks of a merged case go with it; their promised times stay."""
    await connection.execute(update(touch_clocks).where(touch_clocks.c.case_id == from_case).values(case_id=into))


async def clocks_of(connection: AsyncConnection, case_ids: Sequence[str]) -> dict[str, tuple[TouchClock, ...]]:
    found: dict[str, tuple[TouchClock, ...]] = {}
    for row in (await connection.execute(_CLOCKS, {"cases": case_ids})).mappings():
        clock = TouchClock(
            row["id"],
            row["cause"],
            row["started_at"],
            row["due_at"],
            row["joined_version"],
            row["response_id"],
            row["touched_at"],
            row["touched_seq"],
            Proof(row["proof"]) if row["proof"] else None,
        )
        found[row["case_id"]] = (*found.get(row["case_id"], ()), clock)
    return found


def to_case(row: RowMapping, clocks: tuple[TouchClock, ...]) -> Case:
    return Case(
        status=Status(row["status"]),
        severity=Severity(row["severity"]),
        terms=_to_terms(row["terms"]),
        clocks=clocks,
        **{name: row[name] for name in _PLAIN},
    )


def _values(case: Case) -> dict[str, Any]:
    return {
        "status": case.status.value,
        "severity": case.severity.value,
        "terms": _from_terms(case.terms),
        "touch_due_at": case.touch_due_at,
        **{name: getattr(case, name) for name in _PLAIN},
    }


async def _write_clocks(connection: AsyncConnection, written: Sequence[Case]) -> None:
    rows = [
        {
            "id": clock.id,
            "case_id": case.id,
            "cause": clock.cause,
            "response_id": clock.response_id,
            "started_at": clock.started_at,
            "due_at": clock.due_at,
            "joined_version": clock.joined_version,
            "touched_at": clock.touched_at,
            "touched_seq": clock.touched_seq,
            "proof": clock.proof.value if clock.proof else None,
            "policy_version": case.policy_version,
        }
        for case in written
        for clock in case.clocks
    ]
    if rows:
        await connection.execute(_WRITE_CLOCK.on(connection), rows)


def _from_terms(terms: Terms) -> dict[str, Any]:
    return {
        "touch_within": terms.touch_within.total_seconds(),
        "close_out_after": terms.close_out_after.total_seconds(),
        "close_out_within": terms.close_out_within.total_seconds(),
        "remind_before": [span.total_seconds() for span in terms.remind_before],
        "escalate_every": terms.escalate_every.total_seconds(),
        "calendar": terms.calendar,
        "acknowledge_expires_after": terms.acknowledge_expires_after.total_seconds(),
    }


def _to_terms(stored: dict[str, Any]) -> Terms:
    def span(name: str) -> timedelta:
        return timedelta(seconds=stored[name])

    return Terms(
        span("touch_within"),
        span("close_out_after"),
        span("close_out_within"),
        tuple(timedelta(seconds=seconds) for seconds in stored["remind_before"]),
        span("escalate_every"),
        stored["calendar"],
        # Cases of before there was this key.
        timedelta(seconds=stored.get("acknowledge_expires_after", 8 * 3600)),
    )


async def unrelayed(connection: AsyncConnection, limit: int) -> list[RowMapping]:
    """Journal entries not yet published, each with its case as it is now; locked against other relays."""
    return list((await connection.execute(_UNRELAYED, {"most": limit})).mappings())


async def mark_relayed(connection: AsyncConnection, keys: Sequence[tuple[str, int]], now: datetime) -> None:
    await connection.execute(_RELAYED, [{"of": case_id, "number": seq, "now": now} for case_id, seq in keys])
