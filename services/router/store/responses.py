"""Rows of responses: one for each survey answer, revised in the vendor's own time order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.domain.noise import Answer
from services.router.tables import deliveries, responses, texts
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


def response_id(source: str, record_id: str) -> str:
    return ids.derive("response", source, record_id)


async def unseen(connection: AsyncConnection, event_ids: Sequence[str], now: datetime) -> set[str]:
    """Mark these events as handled, in this transaction; returns those that were not before (G2). Two routers that
    take the same event at the same moment collide on the key; the one that lost finds it handled when it retries."""
    known = select(deliveries.c.id).where(deliveries.c.id.in_(list(event_ids)))
    fresh = set(event_ids) - set((await connection.execute(known)).scalars())
    if fresh:
        await connection.execute(insert(deliveries), [{"id": id_, "seen_at": now} for id_ in sorted(fresh)])
    return fresh


async def load(connection: AsyncConnection, id_: str) -> Known | None:
    names = Known.__slots__
    statement = select(*(responses.c[name] for name in names)).where(responses.c.id == id_).with_for_update()
    row = (await connection.execute(statement)).mappings().first()
    return None if row is None else Known(**row)


async def add(connection: AsyncConnection, row: dict[str, Any]) -> None:
    await connection.execute(insert(responses).values(**row))


async def revise(connection: AsyncConnection, id_: str, changes: dict[str, Any]) -> None:
    await connection.execute(update(responses).where(responses.c.id == id_).values(**changes))


async def link(connection: AsyncConnection, id_: str, case_id: str, flagged_at: datetime) -> None:
    await revise(connection, id_, {"case_id": case_id, "flagged_at": flagged_at})


async def earlier_low(connection: AsyncConnection, account_id: str | None, since: datetime, but: str | None) -> int:
    """The account's flagged responses since then, `but` this one."""
    if account_id is None:
        return 0
    statement = select(func.count()).where(
        responses.c.account_id == account_id, responses.c.flagged_at >= since, responses.c.id != (but or "")
    )
    return (await connection.execute(statement)).scalar_one()


async def of_ticket(connection: AsyncConnection, source: str, ticket_id: str) -> list[Known]:
    names = Known.__slots__
    statement = (
        select(*(responses.c[name] for name in names))
        .where(responses.c.source == source, responses.c.ticket_id == ticket_id)
        .order_by(responses.c.occurred_at)
    )
    return [Known(**row) for row in (await connection.execute(statement)).mappings()]


async def answers_of_case(connection: AsyncConnection, case_id: str, since: datetime, until: datetime) -> list[Answer]:
    """The case's flagged answers that came between these, in the order they came."""
    names = ("id", "requester_email", "source", "ticket_id", "flagged_at", "metric", "normalised_score")
    columns: list[Any] = [*(responses.c[name] for name in names), texts.c.body]
    statement = (
        select(*columns)
        .outerjoin(texts, texts.c.id == responses.c.comment_id)
        .where(responses.c.case_id == case_id, responses.c.flagged_at.between(since, until))
        .order_by(responses.c.flagged_at, responses.c.id)
    )
    return [Answer(*row) for row in await connection.execute(statement)]


async def comment_of(connection: AsyncConnection, id_: str) -> str | None:
    statement = select(texts.c.body).join(responses, responses.c.comment_id == texts.c.id).where(responses.c.id == id_)
    return (await connection.execute(statement)).scalar_one_or_none()


async def earlier_of_person(connection: AsyncConnection, response_id: str, since: datetime) -> dict[str, set[str]]:
    """Case -> responses, of what the same person answered and a case was opened for: by account and e-mail, and on the
    same ticket. This response is among them once it has a case."""
    own = (await connection.execute(select(responses).where(responses.c.id == response_id))).mappings().one()
    if not own["requester_email"]:
        return {own["case_id"]: {response_id}} if own["case_id"] else {}
    same = (responses.c.source == own["source"]) & (responses.c.ticket_id == own["ticket_id"])
    if own["account_id"] is not None:
        same = same | ((responses.c.account_id == own["account_id"]) & (responses.c.flagged_at >= since))
    statement = select(responses.c.id, responses.c.case_id).where(
        same, responses.c.requester_email == own["requester_email"], responses.c.case_id.is_not(None)
    )
    found: dict[str, set[str]] = {}
    for row in await connection.execute(statement):
        found.setdefault(row.case_id, set()).add(row.id)
    return found


async def clues_of_case(connection: AsyncConnection, case_id: str) -> list[tuple[str, dict[str, Any], str | None]]:
    """What may find the account of an orphan: source, account_hint and e-mail of its responses."""
    statement = select(responses.c.source, responses.c.account_hint, responses.c.requester_email).where(
        responses.c.case_id == case_id
    )
    return [(row.source, row.account_hint, row.requester_email) for row in await connection.execute(statement)]


async def give_to_account(connection: AsyncConnection, case_id: str, account_id: str) -> None:
    await connection.execute(update(responses).where(responses.c.case_id == case_id).values(account_id=account_id))


async def give_to_case(connection: AsyncConnection, from_case: str, into: str) -> None:
    await connection.execute(update(responses).where(responses.c.case_id == from_case).values(case_id=into))


async def row_of(connection: AsyncConnection, id_: str) -> RowMapping:
    return (await connection.execute(select(responses).where(responses.c.id == id_))).mappings().one()
