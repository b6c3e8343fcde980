"""The SLA figures: charts over time, the table of METRICS, and the cases behind each number."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from services.router.api import cursors
from services.router.api.sla import MOST_LINES, link_to_cases, place_of, place_of_line
from services.router.audit.figures import Group, Line
from services.router.audit.metrics import BY_NAME, METRICS, Number
from services.router.audit.periods import PeriodKind, starts, window
from services.router.audit.report import Behind, Report, first_behind, lines_of
from services.router.console import charts, wording
from services.router.console.charts import Point
from services.router.console.pages import Pages, cursor_of, with_query
from services.router.sessions import Session
from shared.db.engine import Database
from shared.runtime import Runtime

_DOOR = "/sla/cases"
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Chart:
    """`newest` is the number of the last period, in words; `link` the cases behind it."""

    title: str
    newest: str
    note: str
    picture: Markup
    link: str
    legend: tuple[str, ...] = ()


class SlaPage:
    def __init__(self, runtime: Runtime, pages: Pages, database: Database) -> None:
        self._clock = runtime.clock
        self._target = runtime.policy.sla.target
        self._pages = pages
        self._database = database

    async def show(self, request: Request, session: Session) -> Response:
        report, wrong = self._report(request)
        now = self._clock.now()
        async with self._database.read() as connection:
            found = await lines_of(connection, report, now, cursor_of(request, cursors.decode_line))
        lines, cursor = cursors.cut(found, MOST_LINES, place_of_line)
        return self._pages.render(
            "sla.html",
            session,
            request,
            422 if wrong else 200,
            wrong=wrong,
            report=report,
            days=_days(report),
            rows=[_row(line, report) for line in lines],
            more=with_query("/sla", **_query(report), cursor=cursor) if cursor else None,
            metrics=METRICS,
            charts=self._charts(lines, report) if report.group is Group.NONE and lines else [],
            target=self._target,
            kinds=[(kind, self._link(report, kind=kind)) for kind in PeriodKind],
            groups=[(group, self._link(report, group=group)) for group in Group],
            downloads=(_download("/v1/sla.csv", report), _download("/v1/sla/cases.csv", report)),
        )

    async def cases(self, request: Request, session: Session) -> Response:
        """The promised touches behind a number."""
        report, wrong = self._report(request)
        metric = BY_NAME.get(request.query_params.get("metric", ""))
        value = request.query_params.get("value")
        now, after = self._clock.now(), cursor_of(request, cursors.decode_place)
        async with self._database.read() as connection:
            found = await first_behind(connection, report, Behind(metric, value), now, _PAGE + 1, after)
        shown, cursor = cursors.cut(found, _PAGE, place_of)
        query = {**_query(report), "metric": metric.name if metric else None, "value": value}
        return self._pages.render(
            "sla_cases.html",
            session,
            request,
            422 if wrong else 200,
            wrong=wrong,
            metric=metric,
            value=value,
            report=report,
            days=_days(report),
            promises=shown,
            more=with_query(_DOOR, **query, cursor=cursor) if cursor else None,
            download=with_query("/v1/sla/cases.csv", **query),
            back=with_query("/sla", **_query(report)),
        )

    def _report(self, request: Request) -> tuple[Report, str]:
        """What the query asks for; the usual report and what is wrong with it, when it cannot be."""
        asked = request.query_params
        now = self._clock.now()
        kind = PeriodKind(asked["period"]) if asked.get("period") in set(PeriodKind) else PeriodKind.WEEK
        group = Group(asked["group"]) if asked.get("group") in set(Group) else Group.NONE
        try:
            first, last = (date.fromisoformat(asked[name]) if asked.get(name) else None for name in ("from", "to"))
            return Report(window(kind, first, last, now), kind, group), ""
        except (ValueError, OverflowError) as wrong:
            return Report(window(kind, None, None, now), kind, group), f"This range cannot be shown: {wrong}."

    def _link(self, report: Report, kind: PeriodKind | None = None, group: Group | None = None) -> str:
        # Another kind of period has another usual range.
        kept = _query(report) if kind in (None, report.kind) else {}
        changed = {"period": (kind or report.kind).value, "group": (group or report.group).value}
        return with_query("/sla", **{**kept, **changed})

    def _charts(self, lines: Sequence[Line], report: Report) -> list[Chart]:
        by_period = {line.period: line for line in lines}
        periods = list(starts(report.within, report.kind))

        def points(name: str, tone: str = "main") -> list[Point]:
            return [_point(period, by_period.get(period), name, report, tone) for period in periods]

        target = self._target * 100
        in_time = [self._toned(point) for point in points("touched_in_time_pct")]
        touch = [points("time_to_touch_p50_s"), points("time_to_touch_p90_s")]
        alert = [points("alert_p50_s"), points("alert_p99_s")]
        pictures = (
            ("Touched in time", "touched_in_time_pct", (), charts.bars(in_time, "Touched in time, %", 100, target)),
            ("Time to touch", "time_to_touch_p50_s", ("median", "9 of 10"), charts.lines(touch, "Time to touch")),
            ("Time to alert", "alert_p50_s", ("median", "99 of 100"), charts.lines(alert, "Time to alert")),
            ("Responses flagged", "flagged", (), charts.bars(points("flagged"), "Responses flagged")),
        )
        return [_chart(title, name, legend, picture, lines, report) for title, name, legend, picture in pictures]

    def _toned(self, point: Point) -> Point:
        missed = point.value is not None and point.value < self._target * 100
        return Point(point.label, point.value, point.words, point.link, "bad" if missed else "good")


def shown(metric_name: str, value: Number) -> str:
    """A figure as people read it."""
    unit = BY_NAME[metric_name].unit
    if value is None:
        return "–"
    if unit == "seconds":
        return wording.seconds_words(value)
    return f"{value:g} %" if unit == "percent" else f"{value:,}"


def _chart(
    title: str, name: str, legend: tuple[str, ...], picture: Markup, lines: Sequence[Line], report: Report
) -> Chart:
    """The number beside it is that of the newest period that has one."""
    newest = next((line for line in lines if line.figures[name] is not None), lines[0])
    note = f"{report.kind.value} of {_day(newest.period)}"
    value = shown(name, newest.figures[name])
    return Chart(title, value, note, picture, link_to_cases(newest, report, name, _DOOR), legend)


def _point(period: date, line: Line | None, name: str, report: Report, tone: str) -> Point:
    label = f"{period:%b %y}" if report.kind is PeriodKind.MONTH else _day(period)
    if line is None:
        return Point(label, None, "")
    value = line.figures[name]
    words = f"{report.kind.value} of {label}: {BY_NAME[name].words} {shown(name, value)}"
    return Point(label, value, words, link_to_cases(line, report, name, _DOOR), tone)


def _day(day: date) -> str:
    return f"{day.day} {day:%b}"


def _has_cases(name: str, value: Number) -> bool:
    """Whether anything is behind it: a share of 0 % has a whole, a count of 0 has nothing."""
    return value is not None and (value > 0 or BY_NAME[name].unit != "count")


def _row(line: Line, report: Report) -> dict[str, Any]:
    cells = [
        (name, shown(name, value), link_to_cases(line, report, name, _DOOR) if _has_cases(name, value) else None)
        for name, value in line.figures.items()
    ]
    return {"period": line.period, "label": line.label, "cells": cells, "final": not line.figures["touch_pending"]}


def _days(report: Report) -> tuple[date, date]:
    return report.within.start.date(), (report.within.end - timedelta(days=1)).date()


def _query(report: Report) -> dict[str, str | None]:
    first, last = _days(report)
    group = None if report.group is Group.NONE else report.group.value
    return {"period": report.kind.value, "from": first.isoformat(), "to": last.isoformat(), "group": group}


def _download(door: str, report: Report) -> str:
    return with_query(door, **_query(report), bom="true")
