"""Rows of responses: one for each survey answer, revised in the vendor's own time order."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.domain.noise import Answer
from services.router.store.cases import NOT_ENDED
from services.router.tables import cases, deliveries, responses, texts
from shared import ids


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored of a response, as far as deciding about a revision needs it."""

    id: str
    metric: str
    normalised_score: float | None
    flagged: bool
    late: bool
    withdrawn: bool
    occurred_at: datetime
    received_at: datetime
    comment_id: str | None
    case_id: str | None
    flagged_at: datetime | None
    account_id: str | None
    revision: int


_KNOWN = [responses.c[name] for name in Known.__slots__]
_ANSWER = [
    responses.c[name]
    for name in ("id", "requester_email", "source", "ticket_id", "flagged_at", "metric", "normalised_score")
]
_HANDLED = select(deliveries.c.id).where(deliveries.c.id.in_(bindparam("ids", expanding=True)))
_HANDLE = insert(deliveries)
_LOAD = select(*_KNOWN).where(responses.c.id == bindparam("id")).with_for_update()
_EXISTING = select(responses.c.id).where(responses.c.id.in_(bindparam("ids", expanding=True)))
_ADD = insert(responses)
_REVISE = update(responses).where(responses.c.id == bindparam("of"))
_LINK = (
    update(responses)
    .where(responses.c.id == bindparam("of"))
    .values(case_id=bindparam("case"), flagged_at=bindparam("at"))
)
_EARLIER_LOW = (
    select(responses.c.account_id, func.count().label("number"))
    .where(
        responses.c.account_id.in_(bindparam("accounts", expanding=True)),
        responses.c.flagged_at >= bindparam("since"),
        responses.c.id.not_in(bindparam("but", expanding=True)),
    )
    .group_by(responses.c.account_id)
)
_OF_TICKET = (
    select(*_KNOWN)
    .where(responses.c.source == bindparam("source"), responses.c.ticket_id == bindparam("ticket"))
    .order_by(responses.c.occurred_at)
)
_OF_CASE = (
    select(*_ANSWER, texts.c.body)
    .outerjoin(texts, texts.c.id == responses.c.comment_id)
    .where(
        responses.c.case_id == bindparam("case"),
        responses.c.flagged_at.between(bindparam("since"), bindparam("until")),
    )
    .order_by(responses.c.flagged_at, responses.c.id)
)
_COMMENT = (
    select(texts.c.body).join(responses, responses.c.comment_id == texts.c.id).where(responses.c.id == bindparam("id"))
)
_OF_ORPHANS = (
    select(responses.c.case_id, responses.c.source, responses.c.account_hint, responses.c.requester_email)
    .join(cases, cases.c.id == responses.c.case_id)
    .where(cases.c.account_id.is_(None), NOT_ENDED)
    .order_by(responses.c.case_id, responses.c.id)
)
_WHOLE = select(responses).where(responses.c.id == bindparam("id"))


def response_id(source: str, key: str) -> str:
    return ids.derive("response", source, key)


async def unseen(connection: AsyncConnection, event_ids: Sequence[str], now: datetime) -> set[str]:
    """Mark these events as handled, in this transaction; returns those that were not before (G2). Two routers that
    take the same event at the same moment collide on the key; the one that lost finds it handled when it retries."""
    handled = await connection.execute(_HANDLED, {"ids": list(event_ids)})
    fresh = set(event_ids) - set(handled.scalars())
    if fresh:
        await connection.execute(_HANDLE, [{"id": id_, "seen_at": now} for id_ in sorted(fresh)])
    return fresh


async def forget_deliveries(tx: AsyncConnection, before: datetime, most: int) -> int:
    """Delete at most so many of what was handled before then, the oldest first; returns how many."""
    old = select(deliveries.c.id).where(deliveries.c.seen_at < before).order_by(deliveries.c.seen_at).limit(most)
    return int((await tx.execute(delete(deliveries).where(deliveries.c.id.in_(old)))).rowcount)


async def load(connection: AsyncConnection, id_: str) -> Known | None:
    row = (await connection.execute(_LOAD, {"id": id_})).first()
    return None if row is None else Known(*row)


async def existing(connection: AsyncConnection, ids: Sequence[str]) -> set[str]:
    return set((await connection.execute(_EXISTING, {"ids": ids})).scalars())


async def add(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """All with the same columns."""
    if rows:
        await connection.execute(_ADD, rows)


async def revise(connection: AsyncConnection, id_: str, changes: dict[str, Any]) -> None:
    await connection.execute(_REVISE, {"of": id_, **changes})


async def link(connection: AsyncConnection, links: Sequence[tuple[str, str, datetime]]) -> None:
    """Response, its case, and since when it is flagged."""
    if links:
        await connection.execute(_LINK, [{"of": id_, "case": case_id, "at": at} for id_, case_id, at in links])


async def earlier_low(
    connection: AsyncConnection, account_ids: Iterable[str | None], since: datetime, but: Iterable[str | None]
) -> Counter[str | None]:
    """By account, its flagged responses since then, `but` these."""
    accounts = sorted({account_id for account_id in account_ids if account_id})
    if not accounts:
        return Counter()
    asked = {"accounts": accounts, "since": since, "but": sorted({id_ for id_ in but if id_})}
    return Counter({row.account_id: row.number for row in await connection.execute(_EARLIER_LOW, asked)})


async def of_ticket(connection: AsyncConnection, source: str, ticket_id: str) -> list[Known]:
    rows = await connection.execute(_OF_TICKET, {"source": source, "ticket": ticket_id})
    return [Known(*row) for row in rows]


async def answers_of_case(connection: AsyncConnection, case_id: str, since: datetime, until: datetime) -> list[Answer]:
    """The case's flagged answers that came between these, in the order they came."""
    rows: Iterable[Any] = await connection.execute(_OF_CASE, {"case": case_id, "since": since, "until": until})
    return [Answer(*row) for row in rows]


async def comment_of(connection: AsyncConnection, id_: str) -> str | None:
    return (await connection.execute(_COMMENT, {"id": id_})).scalar_one_or_none()


async def earlier_of_person(connection: AsyncConnection, response_id: str, since: datetime) -> dict[str, set[str]]:
    """Case -> responses, of what the same person answered and a case was opened for: by account and e-mail, and on the
    same ticket. This response is among them once it has a case."""
    own = await row_of(connection, response_id)
    same = [responses.c.id == response_id]
    if own["requester_email"]:
        theirs = responses.c.requester_email == own["requester_email"]
        if own["ticket_id"] is not None:
            same.append(and_(responses.c.source == own["source"], responses.c.ticket_id == own["ticket_id"], theirs))
        if own["account_id"] is not None:
            same.append(and_(responses.c.account_id == own["account_id"], responses.c.flagged_at >= since, theirs))
    statement = select(responses.c.id, responses.c.case_id).where(or_(*same), responses.c.case_id.is_not(None))
    found: dict[str, set[str]] = {}
    for row in await connection.execute(statement):
        found.setdefault(row.case_id, set()).add(row.id)
    return found


async def of_orphans(connection: AsyncConnection) -> list[tuple[str, tuple[str, dict[str, Any], str | None]]]:
    """The responses of open cases without an account: the case, and what may find its account (source, account_hint
    and e-mail)."""
    return [(row[0], (row[1], row[2], row[3])) for row in await connection.execute(_OF_ORPHANS)]


async def give_to_account(connection: AsyncConnection, case_id: str, account_id: str) -> None:
    await connection.execute(update(responses).where(responses.c.case_id == case_id).values(account_id=account_id))


async def give_to_case(connection: AsyncConnection, from_case: str, into: str) -> None:
    await connection.execute(update(responses).where(responses.c.case_id == from_case).values(case_id=into))


async def row_of(connection: AsyncConnection, id_: str) -> RowMapping:
    return (await connection.execute(_WHOLE, {"id": id_})).mappings().one()
