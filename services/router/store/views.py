"""Cases as people read them: with account, responses, last touch and journal, loaded in few queries for many."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Select, and_, bindparam, func, or_, select
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.domain.case import Case
from services.router.domain.view import AwayView, CaseView, EntryView, ResponseView, TouchView
from services.router.store import cases as rows
from services.router.store import directory, people, texts
from services.router.tables import cases, contacts, journal, responses, tickets
from services.router.tables import texts as text_rows

ERASED = "[erased]"
_EARLIER = timedelta(days=90)
_UNREMARKABLE = (
    "alerted",
    "alert_undelivered",
    "reminded",
    "response_revised",
    "revealed",
    "touch_evidenced",
    "touch_confirmed",
)
_AS_STORED = (
    "id source metric raw_score raw_scale normalised_score ticket_id ticket_url subject requester_email requester_name "
    "occurred_at received_at flagged_at withdrawn revision detected_by"
).split()


_THESE: BindParameter[Any] = bindparam("cases", expanding=True)
_CASES = select(cases).where(cases.c.id.in_(_THESE))
_RESPONSES = (
    select(
        *(responses.c[name] for name in ("case_id", "comment_id", "reasons", *_AS_STORED)),
        text_rows.c.body.label("comment"),
        contacts.c.role.label("requester_role"),
        tickets.c.status.label("ticket_status"),
        tickets.c.subject.label("ticket_subject"),
        tickets.c.url.label("known_url"),
    )
    .outerjoin(text_rows, text_rows.c.id == responses.c.comment_id)
    .outerjoin(
        contacts,
        and_(contacts.c.account_id == responses.c.account_id, contacts.c.email == responses.c.requester_email),
    )
    .outerjoin(tickets, and_(tickets.c.source == responses.c.source, tickets.c.ticket_id == responses.c.ticket_id))
    .where(responses.c.case_id.in_(_THESE))
    .order_by(responses.c.received_at.desc(), responses.c.id)
)
_FLAGGED = select(responses.c.account_id, responses.c.case_id, responses.c.flagged_at).where(
    responses.c.account_id.in_(bindparam("accounts", expanding=True)),
    responses.c.flagged_at >= bindparam("since"),
    responses.c.flagged_at < bindparam("until"),
)


def _newest_entries(condition: ColumnElement[bool]) -> Select[Any]:
    """Of each case the last journal entry for which it holds."""
    newest = (
        select(journal.c.case_id, func.max(journal.c.seq).label("seq"))
        .where(journal.c.case_id.in_(_THESE), condition)
        .group_by(journal.c.case_id)
        .subquery()
    )
    same = and_(journal.c.case_id == newest.c.case_id, journal.c.seq == newest.c.seq)
    return select(journal).join(newest, same)


_LAST_ENTRIES = _newest_entries(journal.c.type.not_in(_UNREMARKABLE))
_LAST_TOUCHES = _newest_entries(journal.c.type.in_(["touched", "touch_corrected"]))


async def load_view(connection: AsyncConnection, case_id: str) -> CaseView | None:
    return (await load_views(connection, [case_id])).get(case_id)


async def load_views(connection: AsyncConnection, case_ids: Sequence[str]) -> dict[str, CaseView]:
    return await _views(connection, list((await connection.execute(_CASES, {"cases": list(case_ids)})).mappings()))


async def list_cases(
    connection: AsyncConnection,
    *,
    now: datetime,
    limit: int,
    status: str | None = None,
    owner: str | None = None,
    account_id: str | None = None,
    severity: str | None = None,
    overdue: bool | None = None,
    ended: bool | None = None,
    unowned: bool | None = None,
    after: tuple[datetime, str] | None = None,
) -> list[CaseView]:
    """Newest first; `after` is (opened_at, id) of the last one seen. `overdue` means a touch is due and not made,
    `unowned` that it rests with the fallback owner."""
    statement = select(cases).order_by(cases.c.opened_at.desc(), cases.c.id.desc()).limit(limit)
    wanted = {"status": status, "owner": owner, "account_id": account_id, "severity": severity}
    for name, value in wanted.items():
        if value is not None:
            statement = statement.where(cases.c[name] == value)
    for holds, condition in ((overdue, rows.overdue(now)), (ended, ~rows.NOT_ENDED), (unowned, rows.UNOWNED)):
        if holds is not None:
            statement = statement.where(condition if holds else ~condition)
    if after is not None:
        at, case_id = after
        older = or_(cases.c.opened_at < at, and_(cases.c.opened_at == at, cases.c.id < case_id))
        statement = statement.where(older)
    found = list((await connection.execute(statement)).mappings())
    views = await _views(connection, found)
    return [views[row["id"]] for row in found]


async def load_journal(connection: AsyncConnection, case_id: str) -> list[EntryView]:
    statement = select(journal).where(journal.c.case_id == case_id).order_by(journal.c.seq)
    return await _entries(connection, list((await connection.execute(statement)).mappings()))


async def _views(connection: AsyncConnection, found: Sequence[RowMapping]) -> dict[str, CaseView]:
    if not found:
        return {}
    ids = [row["id"] for row in found]
    clocks = await rows.clocks_of(connection, ids)
    loaded = {row["id"]: rows.to_case(row, clocks.get(row["id"], ())) for row in found}
    account_ids = sorted({case.account_id for case in loaded.values() if case.account_id})
    accounts = await directory.account_views(connection, account_ids)
    answers = await _responses(connection, ids)
    owners = await people.find(connection, sorted({case.owner for case in loaded.values() if not case.ended}))
    touches = await _entries_of(connection, _LAST_TOUCHES, ids)
    last = await _entries_of(connection, _LAST_ENTRIES, ids)
    earlier = await _earlier_low(connection, loaded.values())
    return {
        case_id: CaseView(
            case=case,
            account=accounts.get(case.account_id or ""),
            responses=answers.get(case_id, ()),
            touch=_touch(touches.get(case_id), case),
            earlier_low=earlier.get(case_id, 0),
            last_entry=last.get(case_id),
            owner_away=_away(owners.get(case.owner)),
        )
        for case_id, case in loaded.items()
    }


def _away(person: people.Person | None) -> AwayView | None:
    if person is None or person.away is None:
        return None
    return AwayView(person.away, person.away_until, person.checked_at)


async def _responses(connection: AsyncConnection, case_ids: Sequence[str]) -> dict[str, tuple[ResponseView, ...]]:
    grouped: dict[str, tuple[ResponseView, ...]] = {}
    for row in (await connection.execute(_RESPONSES, {"cases": case_ids})).mappings():
        grouped[row["case_id"]] = (*grouped.get(row["case_id"], ()), _response(row))
    return grouped


def _response(row: RowMapping) -> ResponseView:
    stored = {name: row[name] for name in _AS_STORED}
    stored["subject"] = row["subject"] or row["ticket_subject"]
    stored["ticket_url"] = row["ticket_url"] or row["known_url"]
    return ResponseView(
        **stored,
        comment=row["comment"] if row["comment_id"] is None or row["comment"] is not None else ERASED,
        ticket_status=row["ticket_status"],
        requester_role=row["requester_role"],
        reasons=tuple(row["reasons"]),
    )


async def _earlier_low(connection: AsyncConnection, found: Collection[Case]) -> dict[str, int]:
    """How many other flagged responses each case's account gave in the 90 days before it; one query for all."""
    known = [case for case in found if case.account_id is not None]
    if not known:
        return {}
    asked = {
        "accounts": sorted({case.account_id for case in known if case.account_id}),
        "since": min(case.opened_at for case in known) - _EARLIER,
        "until": max(case.opened_at for case in known),
    }
    flagged = (await connection.execute(_FLAGGED, asked)).all()
    return {
        case.id: sum(
            row.account_id == case.account_id
            and row.case_id != case.id
            and case.opened_at - _EARLIER <= row.flagged_at < case.opened_at
            for row in flagged
        )
        for case in known
    }


def _touch(entry: EntryView | None, case: Case) -> TouchView | None:
    """None also when the last one was taken back, and with it what it promised."""
    if entry is None or entry.type != "touched":
        return None
    data = entry.data
    touch = TouchView(
        at=datetime.fromisoformat(data["touched_at"]),
        by=entry.actor,
        channel=data["channel"],
        acknowledgement=data.get("acknowledgement"),
        next_step=data.get("next_step"),
        next_step_due=date.fromisoformat(data["next_step_due"]),
    )
    return touch if case.proof is None else replace(touch, proof=case.proof.value)


async def _entries_of(
    connection: AsyncConnection, statement: Select[Any], case_ids: Sequence[str]
) -> dict[str, EntryView]:
    found = list((await connection.execute(statement, {"cases": case_ids})).mappings())
    entries = await _entries(connection, found)
    return {row["case_id"]: entry for row, entry in zip(found, entries, strict=True)}


async def _entries(connection: AsyncConnection, found: Sequence[RowMapping]) -> list[EntryView]:
    data = [json.loads(row["data"]) for row in found]
    bodies = await texts.read(connection, list(_text_ids(data)))
    return [
        EntryView(
            row["seq"],
            row["at"],
            row["actor"],
            row["type"],
            {name: _readable(value, bodies) for name, value in item.items()},
            row["prev_hash"],
            row["hash"],
        )
        for row, item in zip(found, data, strict=True)
    ]


def _text_ids(data: Iterable[dict[str, Any]]) -> Iterable[str]:
    return (value["text"] for item in data for value in item.values() if isinstance(value, dict) and "text" in value)


def _readable(value: Any, bodies: dict[str, str | None]) -> Any:
    if isinstance(value, dict) and "text" in value:
        body = bodies.get(value["text"])
        return ERASED if body is None else body
    return value
