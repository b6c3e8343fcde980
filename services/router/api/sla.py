"""The SLA doors: figures by period and group, the cases behind each number, and both as CSV."""

from collections.abc import AsyncIterator
from datetime import date, datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel
from starlette.responses import StreamingResponse

from services.router.api import cursors
from services.router.api.cases import WhoCalls
from services.router.api.doors import Caller
from services.router.api.fields import BLANK_IS_NONE, Filter, Limit, LinePlace, Place, invalid, problems
from services.router.api.schemas import Page
from services.router.audit import export, metrics
from services.router.audit.case_rows import COLUMNS, case_rows
from services.router.audit.figures import Group, Line
from services.router.audit.metrics import BY_NAME, METRICS
from services.router.audit.periods import PeriodKind, window
from services.router.audit.promise import Promise
from services.router.audit.report import Behind, Report, first_behind, lines_of, promises_behind
from shared.clock import Clock
from shared.db.engine import Database

MOST_LINES = 500
CSV = "text/csv; charset=utf-8"
_CSV_ANSWER: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}
_WRONG = problems(_422="A parameter is wrong.")


class PromiseOut(BaseModel):
    """One promised touch: what a number in the figures is made of. `touched_in_time` and `closed_in_time` are null
    while the outcome is open; a case's close-out is told by the touch that opened it."""

    case_id: str
    account_id: str | None
    account_name: str
    owner: str
    severity: str
    status: str
    cause: str
    flagged_at: datetime
    alerted_at: datetime | None
    touch_due_at: datetime
    touched_at: datetime | None
    touched_in_time: bool | None
    proof: str | None
    close_out_due_at: datetime | None
    closed_at: datetime | None
    closed_in_time: bool | None
    promise_kept: bool | None


class FiguresPage(BaseModel):
    """Each item has `period` (its first day, UTC), `group`, `label`, every metric of `definitions`, and in `cases` the
    door behind each number. `target` is the share of touches in time the policy asks for."""

    items: list[dict[str, Any]]
    next_cursor: str | None = None
    target: float
    definitions: dict[str, str]


def report_of(
    clock: Clock, period: PeriodKind, first: date | None, last: date | None, group: Group = Group.NONE
) -> Report:
    """Raises RequestValidationError when the range cannot be."""
    try:
        return Report(window(period, first, last, clock.now()), period, group)
    except (ValueError, OverflowError) as wrong:
        raise invalid("query.from", str(wrong)) from wrong


def sla_router(database: Database, clock: Clock, target: float, who_calls: WhoCalls) -> APIRouter:
    router = APIRouter(tags=["sla"])

    async def asked(
        period: PeriodKind = PeriodKind.WEEK,
        first: Annotated[
            date | None, BLANK_IS_NONE, Query(alias="from", description="First day, included (UTC).")
        ] = None,
        last: Annotated[date | None, BLANK_IS_NONE, Query(alias="to", description="Last day, included (UTC).")] = None,
        group: Group = Group.NONE,
    ) -> Report:
        return report_of(clock, period, first, last, group)

    async def behind(
        metric: Annotated[str | None, BLANK_IS_NONE, Query(description=f"One of: {', '.join(BY_NAME)}.")] = None,
        value: Filter = None,
    ) -> Behind:
        if metric is not None and metric not in BY_NAME:
            raise invalid("query.metric", f"is one of: {', '.join(BY_NAME)}")
        return Behind(BY_NAME[metric] if metric else None, value)

    @router.get("/v1/sla", responses=_WRONG)
    async def figures(
        report: Annotated[Report, Depends(asked)],
        after: LinePlace,
        _: Annotated[Caller, Depends(who_calls)],
        limit: Annotated[int, Query(ge=1, le=MOST_LINES, description="Items on a page.")] = MOST_LINES,
    ) -> FiguresPage:
        """SLA figures, newest period first. A period counts the touches promised in it; it is final when
        `touch_pending` is 0. Periods in which nothing was flagged have no item."""
        async with database.read() as connection:
            lines = await lines_of(connection, report, clock.now(), after)
        shown, more = cursors.cut(lines, limit, place_of_line)
        return FiguresPage(
            items=[_item(line, report) for line in shown],
            next_cursor=more,
            target=target,
            definitions={metric.name: f"{metric.words} ({metric.unit})" for metric in METRICS},
        )

    @router.get("/v1/sla.csv", response_class=StreamingResponse, responses={**_WRONG, **_CSV_ANSWER})
    async def figures_csv(
        report: Annotated[Report, Depends(asked)], _: Annotated[Caller, Depends(who_calls)], bom: bool = False
    ) -> StreamingResponse:
        """The same figures as CSV; `bom` helps Excel to see UTF-8."""
        async with database.read() as connection:
            lines = await lines_of(connection, report, clock.now())
        rows = _figure_rows(lines)
        return csv_answer(export.lines(("period", "group", "label", *BY_NAME), rows, bom), "sla.csv")

    @router.get("/v1/sla/cases", responses=_WRONG)
    async def cases(
        report: Annotated[Report, Depends(asked)],
        wanted: Annotated[Behind, Depends(behind)],
        _: Annotated[Caller, Depends(who_calls)],
        after: Place,
        limit: Limit = 50,
    ) -> Page[PromiseOut]:
        """The promised touches behind a number, oldest first."""
        now = clock.now()
        async with database.read() as connection:
            found = await first_behind(connection, report, wanted, now, limit + 1, after)
        shown, more = cursors.cut(found, limit, place_of)
        return Page(items=[_promise_out(promise, now) for promise in shown], next_cursor=more)

    @router.get("/v1/sla/cases.csv", response_class=StreamingResponse, responses={**_WRONG, **_CSV_ANSWER})
    async def cases_csv(
        report: Annotated[Report, Depends(asked)],
        wanted: Annotated[Behind, Depends(behind)],
        _: Annotated[Caller, Depends(who_calls)],
        bom: bool = False,
    ) -> StreamingResponse:
        """One line for each promised touch, with the answer that caused it, as CSV."""
        return csv_answer(_case_lines(database, report, wanted, clock.now(), bom), "cases.csv")

    return router


def place_of(promise: Promise) -> str:
    """The cursor that leads on from there."""
    return cursors.encode_place(promise.started_at, promise.clock_id)


def place_of_line(line: Line) -> str:
    """The cursor that leads on from there."""
    return cursors.encode_line(line.period, line.group)


def csv_answer(lines: AsyncIterator[str], name: str) -> StreamingResponse:
    headers = {"content-disposition": f'attachment; filename="closeloop-{name}"', "cache-control": "no-store"}
    return StreamingResponse(lines, media_type=CSV, headers=headers)


def link_to_cases(line: Line, report: Report, metric: str, door: str = "/v1/sla/cases") -> str:
    """Where the cases behind one number are listed."""
    first, last = report.days_of(line.period)
    query = {"metric": metric, "period": report.kind.value, "from": first.isoformat(), "to": last.isoformat()}
    if report.group is not Group.NONE:
        query |= {"group": report.group.value, "value": line.group}
    return f"{door}?{urlencode(query)}"


def _item(line: Line, report: Report) -> dict[str, Any]:
    links = {metric.name: link_to_cases(line, report, metric.name) for metric in METRICS}
    plain = {"period": line.period.isoformat(), "group": line.group, "label": line.label}
    return {**plain, **line.figures, "cases": links}


async def _figure_rows(lines: list[Line]) -> AsyncIterator[list[Any]]:
    for line in lines:
        yield [line.period, line.group, line.label, *line.figures.values()]


async def _case_lines(
    database: Database, report: Report, behind: Behind, now: datetime, bom: bool
) -> AsyncIterator[str]:
    async with database.read() as connection:
        promises = promises_behind(connection, report, behind, now)
        async for line in export.lines(COLUMNS, case_rows(connection, promises, now), bom):
            yield line


def _promise_out(promise: Promise, now: datetime) -> PromiseOut:
    same = {name: getattr(promise, name) for name in PromiseOut.model_fields if hasattr(promise, name)}
    return PromiseOut(
        **same,
        flagged_at=promise.started_at,
        touch_due_at=promise.due_at,
        touched_in_time=metrics.touch_outcome(promise, now),
        closed_in_time=metrics.close_out_outcome(promise, now),
    )
