"""Promises from the rows: one indexed query over the touch clocks of a window of time, oldest first, in pages."""

import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, null, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.audit.periods import Window
from services.router.audit.promise import CLAIMED, LEAD, Promise, seen_by_all
from services.router.tables import cases, journal, notices, responses, touch_clocks

_AT_A_TIME = 1000


async def read_promises(
    connection: AsyncConnection,
    within: Window,
    after: tuple[datetime, str] | None = None,
    with_tier: bool = False,
) -> AsyncGenerator[Promise, None]:
    """The promises that started within the window, in order of start and id; those past `after` when it is given.
    Tier and segment lie in the journal's first entry and are read only `with_tier`."""
    started = touch_clocks.c.started_at
    statement = _query(with_tier).where(started < within.end).order_by(started, touch_clocks.c.id).limit(_AT_A_TIME)
    place = after
    while True:
        page = statement.where(started >= (place[0] if place else within.start))
        if place is not None:
            page = page.where(tuple_(started, touch_clocks.c.id) > place)
        rows = (await connection.execute(page)).all()
        for promise in await _with_alerts_of_merged(connection, [_promise(row) for row in rows]):
            yield promise
        if len(rows) < _AT_A_TIME:
            return
        place = (rows[-1].started_at, rows[-1].id)


async def promises_of_cases(connection: AsyncConnection, case_ids: list[str]) -> list[Promise]:
    """All promises of these cases, oldest first."""
    statement = _query(with_tier=True).where(touch_clocks.c.case_id.in_(case_ids))
    rows = await connection.execute(statement.order_by(touch_clocks.c.started_at, touch_clocks.c.id))
    return await _with_alerts_of_merged(connection, [_promise(row) for row in rows])


async def _with_alerts_of_merged(connection: AsyncConnection, promises: list[Promise]) -> list[Promise]:
    """A promise that came here with a merged case was alerted there."""
    origins = sorted({promise.origin for promise in promises if promise.origin != promise.case_id})
    if not origins:
        return promises
    seen = select(notices.c.case_id, notices.c.since, notices.c.role, func.min(notices.c.sent_at).label("at")).where(
        notices.c.case_id.in_(origins), notices.c.since.is_not(None), notices.c.sent_at.is_not(None)
    )
    rows = await connection.execute(seen.group_by(notices.c.case_id, notices.c.since, notices.c.role))
    alerts: dict[tuple[str, datetime], dict[bool, datetime]] = {}
    for row in rows:
        sides = alerts.setdefault((row.case_id, row.since), {})
        lead_side = row.role == LEAD
        sides[lead_side] = min(row.at, sides.get(lead_side, row.at))
    return [promise if promise.origin == promise.case_id else _seen_there(promise, alerts) for promise in promises]


def _seen_there(promise: Promise, alerts: dict[tuple[str, datetime], dict[bool, datetime]]) -> Promise:
    sides = alerts.get((promise.origin, promise.started_at), {})
    return replace(promise, alerted_at=max(sides.values(), default=None), opens=False)


def _query(with_tier: bool) -> Select[Any]:
    columns: list[ColumnElement[Any]] = [
        touch_clocks.c.id,
        touch_clocks.c.case_id,
        touch_clocks.c.cause,
        touch_clocks.c.response_id,
        touch_clocks.c.started_at,
        touch_clocks.c.due_at,
        touch_clocks.c.touched_at,
        touch_clocks.c.joined_version,
        touch_clocks.c.proof,
        cases.c.promise_kept,
        cases.c.status,
        cases.c.severity,
        cases.c.owner,
        cases.c.owner_reason,
        cases.c.account_id,
        cases.c.account_name,
        cases.c.close_out_due_at,
        cases.c.closed_at,
        responses.c.source,
        responses.c.metric,
        _first_seen(notices.c.role != LEAD).label("owner_side"),
        _first_seen(notices.c.role == LEAD).label("lead_side"),
        _lapsed().label("close_out_lapsed_at"),
    ]
    source = touch_clocks.join(cases, cases.c.id == touch_clocks.c.case_id).outerjoin(
        responses, responses.c.id == touch_clocks.c.response_id
    )
    if with_tier:
        opened = journal.alias("opened")
        source = source.outerjoin(opened, and_(opened.c.case_id == cases.c.id, opened.c.seq == 1))
        columns.append(opened.c.data.label("opened"))
    else:
        columns.append(null().label("opened"))
    return select(*columns).select_from(source)


def _first_seen(side: ColumnElement[bool]) -> ColumnElement[datetime]:
    """When the first alert about the clock's response was seen by this side."""
    return (
        select(func.min(notices.c.sent_at))
        .where(
            notices.c.case_id == touch_clocks.c.case_id,
            notices.c.since == touch_clocks.c.started_at,
            side,
        )
        .scalar_subquery()
    )


def _lapsed() -> ColumnElement[datetime]:
    return (
        select(func.min(journal.c.at))
        .where(journal.c.case_id == touch_clocks.c.case_id, journal.c.type == "close_out_overdue")
        .scalar_subquery()
    )


def _promise(row: Any) -> Promise:
    group = _group(row.opened)
    return Promise(
        clock_id=row.id,
        case_id=row.case_id,
        cause=row.cause,
        started_at=row.started_at,
        due_at=row.due_at,
        opens=row.joined_version == 1,
        status=row.status,
        severity=row.severity,
        owner=row.owner,
        owner_reason=row.owner_reason,
        account_name=row.account_name,
        account_id=row.account_id,
        response_id=row.response_id,
        touched_at=row.touched_at,
        alerted_at=seen_by_all(row.owner_side, row.lead_side),
        close_out_due_at=row.close_out_due_at,
        close_out_lapsed_at=row.close_out_lapsed_at,
        closed_at=row.closed_at,
        proof=(row.proof or CLAIMED) if row.touched_at else None,
        promise_kept=row.promise_kept,
        source=row.source,
        metric=row.metric,
        tier=group.get("tier"),
        segment=group.get("segment"),
    )


def _group(opened: bytes | None) -> dict[str, Any]:
    return (json.loads(opened).get("group") or {}) if opened else {}
