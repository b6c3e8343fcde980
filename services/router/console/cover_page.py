"""Absences: who is away, who stands in, and the forms that enter and end one. The rules are those of the API."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.router.cases import InvalidCommand, NotFound
from services.router.console.pages import SECURITY, Pages
from services.router.covering import Absence, Covering, Entered
from services.router.domain.absence import absences
from services.router.sessions import Session
from services.router.store import covers
from shared.db.engine import Database
from shared.runtime import Runtime

_SHOWN, _PAST = 500, 20
_FIELDS = ("person", "cover", "first_day", "last_day", "timezone", "reason")
_LONGEST = 500
# The fields of an absence as the form calls them.
_ON_THE_FORM = {"starts_at": "first_day", "ends_at": "last_day"}


class CoverPage:
    def __init__(self, runtime: Runtime, pages: Pages, covering: Covering, database: Database) -> None:
        self._clock = runtime.clock
        self._pages = pages
        self._covering = covering
        self._database = database

    async def show(self, request: Request, session: Session) -> Response:
        return await self._page(request, session)

    async def enter(self, request: Request, session: Session) -> Response:
        """Enter an absence and come back; what cannot be right comes back with all that was typed, and why."""
        form = await request.form(max_files=0, max_fields=10)
        if not session.allows(str(form.get("csrf", ""))):
            return self._pages.refused(session, request)
        typed = {name: str(form.get(name, "")).replace("\0", "").strip()[:_LONGEST] for name in _FIELDS}
        try:
            entered = await self._covering.enter(_absence(typed, session.email, self._clock.now()))
        except InvalidCommand as wrong:
            field = _ON_THE_FORM.get(wrong.field, wrong.field)
            return await self._page(request, session, 422, typed, wrong.text, field)
        return self._back(_words(entered))

    async def end(self, request: Request, session: Session) -> Response:
        form = await request.form(max_files=0, max_fields=5)
        if not session.allows(str(form.get("csrf", ""))):
            return self._pages.refused(session, request)
        try:
            moved = await self._covering.end(request.path_params["cover_id"].replace("\0", ""), session.email)
        except NotFound as error:
            return self._pages.missing(session, request, str(error))
        return self._back(f"The absence is over. {_moved(moved)}")

    def _back(self, words: str) -> Response:
        response = RedirectResponse("/covers", 303, SECURITY)
        self._pages.sessions.tell(response, words)
        return response

    async def _page(
        self,
        request: Request,
        session: Session,
        status: int = 200,
        typed: dict[str, str] | None = None,
        wrong: str = "",
        wrong_field: str = "",
    ) -> Response:
        now = self._clock.now()
        async with self._database.read() as connection:
            records = await covers.listed(connection, now, limit=_SHOWN)
            past = await covers.listed(connection, now, past=True, limit=_PAST)
        away = absences((record.cover for record in records), now)
        return self._pages.render(
            "covers.html",
            session,
            request,
            status,
            records=records,
            past=past,
            away=away,
            typed=typed or dict.fromkeys(_FIELDS, ""),
            wrong=wrong,
            wrong_field=wrong_field,
        )


def _absence(typed: dict[str, str], by: str, now: datetime) -> Absence:
    """Days are whole ones where the person lives, the last one included. Raises InvalidCommand."""
    zone = _zone(typed["timezone"] or "UTC")
    first = _day(typed["first_day"], "starts_at")
    last = _day(typed["last_day"], "ends_at")
    today = now.astimezone(zone).date()
    return Absence(
        person=typed["person"],
        cover=typed["cover"] or None,
        starts_at=now if first in (None, today) else _midnight(first or today, zone),
        ends_at=_midnight(last + timedelta(days=1), zone) if last is not None else None,
        timezone=zone.key,
        reason=typed["reason"],
        source="api",
        created_by=by,
    )


def _day(text: str, field: str) -> date | None:
    try:
        found = date.fromisoformat(text) if text else None
    except ValueError:
        found = date.max
    if found is not None and not 2000 <= found.year < 3000:
        raise InvalidCommand(field, "Write a day such as 2026-12-01.")
    return found


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, zone)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as wrong:
        text = f"{name[:60]!r} is no time zone; write for example Europe/Berlin."
        raise InvalidCommand("timezone", text) from wrong


def _words(entered: Entered) -> str:
    if not entered.fresh:
        return "That absence is entered already; nothing changed."
    if entered.stand_in is None:
        return (
            f"Noted, but nobody named stands in: {entered.words}. The next role has the cases. {_moved(entered.moved)}"
        )
    return f"Noted: {entered.words}. {_moved(entered.moved)}"


def _moved(count: int) -> str:
    if not count:
        return "No case changed hands."
    return f"{count} case{'' if count == 1 else 's'} changed hands."
