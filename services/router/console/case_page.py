"""One case: what the customer said, what was done and by whom, and the forms that act on it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.router.api.bodies import DOORS, Door
from services.router.audit.verification import verify_cases
from services.router.cases import Cases, InvalidCommand, NotFound, Refused
from services.router.console.pages import SECURITY, Pages
from services.router.console.wording import entry_line
from services.router.domain.case import Case, Status
from services.router.domain.commands import CHANNELS, OUTCOMES, RecordReveal
from services.router.domain.masking import masked, masked_entry
from services.router.sessions import Session
from services.router.store.views import load_journal, load_view
from shared.db.engine import Database
from shared.runtime import Runtime

_DOORS = {door.name: door for door in DOORS}
_INSTANTS = ("touched_at", "until")
_BEFORE = (Status.OPEN, Status.ACKNOWLEDGED)
_AFTER = (Status.TOUCHED, Status.RESOLVED)
_MOST_FIELDS = 20


class CasePage:
    def __init__(
        self, runtime: Runtime, pages: Pages, cases: Cases, database: Database, wake: Callable[[], None]
    ) -> None:
        self._clock = runtime.clock
        self._pages = pages
        self._cases = cases
        self._database = database
        self._wake = wake

    async def show(self, request: Request, session: Session) -> Response:
        return await self._page(request, session)

    async def act(self, request: Request, session: Session) -> Response:
        """A form was sent: apply it and go back to the case; what cannot be applied comes back with all that was
        typed, and why."""
        form = await request.form(max_files=0, max_fields=_MOST_FIELDS)
        typed = {name: value for name, value in form.items() if isinstance(value, str)}
        if not session.allows(typed.pop("csrf", "")):
            return self._pages.refused(session, request)
        if request.path_params["command"] == "reveal":
            return await self._reveal(request, session)
        door = _DOORS.get(request.path_params["command"])
        if door is None:
            return self._pages.missing(session, request, "There is no such action.")
        try:
            said = await self._apply(request.path_params["case_id"], door, typed, session)
        except NotFound as error:
            return self._pages.missing(session, request, str(error))
        except Refused as error:
            return await self._page(request, session, 409, door.name, typed, error.text)
        except InvalidCommand as error:
            return await self._page(request, session, 422, door.name, typed, error.text, error.field)
        except ValidationError as error:
            field, words = _first_wrong(error)
            return await self._page(request, session, 422, door.name, typed, words, field)
        response = RedirectResponse(f"/cases/{request.path_params['case_id']}", 303, SECURITY)
        self._pages.sessions.tell(response, said)
        return response

    async def _reveal(self, request: Request, session: Session) -> Response:
        """The page with nothing masked, once; that it was asked for is in the journal first."""
        now, looked = self._clock.now(), RecordReveal(actor=session.email, fields=("masked",), where="console")
        try:
            async with self._database.transaction(urgent=True) as tx:
                await self._cases.apply(tx, request.path_params["case_id"].replace("\0", ""), looked, now)
        except NotFound as error:
            return self._pages.missing(session, request, str(error))
        return await self._page(request, session, unmasked=True)

    async def _apply(self, case_id: str, door: Door, typed: dict[str, str], session: Session) -> str:
        now = self._clock.now()
        body = door.body.model_validate({name: _value(name, text) for name, text in typed.items() if text.strip()})
        command = door.build(body, session.email, now)
        async with self._database.transaction(urgent=True) as tx:
            applied = await self._cases.apply(tx, case_id, command, now)
        self._wake()
        return applied.text

    async def _page(
        self,
        request: Request,
        session: Session,
        status: int = 200,
        acting: str = "",
        typed: dict[str, str] | None = None,
        wrong: str = "",
        wrong_field: str = "",
        unmasked: bool = False,
    ) -> Response:
        case_id = request.path_params["case_id"].replace("\0", "")
        async with self._database.read() as connection:
            view = await load_view(connection, case_id)
            journal = await load_journal(connection, case_id)
            flaws = await verify_cases(connection, [case_id])
        if view is None:
            return self._pages.missing(session, request, f"There is no case {case_id}.")
        shown = view if unmasked else masked(view)
        entries = journal if unmasked else [masked_entry(entry) for entry in journal]
        return self._pages.render(
            "case.html",
            session,
            request,
            status,
            view=shown,
            case=view.case,
            lines=[entry_line(entry) for entry in reversed(entries)],
            is_masked=shown != view or entries != journal,
            head=journal[-1].hash if journal else "",
            flaws=flaws,
            actions=actions_of(view.case),
            channels=CHANNELS,
            outcomes=OUTCOMES,
            acting=acting,
            typed=typed or {},
            wrong=wrong,
            wrong_field=wrong_field,
        )


def actions_of(case: Case) -> tuple[str, ...]:
    """What the state allows, the most likely first."""
    if case.status in _BEFORE:
        first = ("touch", "acknowledge") if case.status is Status.OPEN else ("touch",)
        return (*first, "note", "reassign", "snooze", "close", "dismiss")
    if case.status in _AFTER:
        resolve = ("resolve",) if case.status is Status.TOUCHED else ()
        more = ("touch",) if case.status is Status.TOUCHED else ()
        first = (*resolve, "close", "still_open", *more, "correct_touch")
    else:
        return ("note",) if case.merged_into else ("reopen", "note")
    return (*first, "note", "reassign", "snooze", "dismiss")


def _value(name: str, text: str) -> str:
    """Browsers send an instant without its zone; the script adds it, and without the script the form says UTC."""
    if name not in _INSTANTS:
        return text
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return text
    return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).isoformat()


def _first_wrong(error: ValidationError) -> tuple[str, str]:
    first: Any = error.errors(include_url=False, include_input=False)[0]
    field = str(first["loc"][0]) if first["loc"] else ""
    name = field.replace("_", " ")
    return field, f"{name.capitalize()} is missing." if first["type"] == "missing" else f"{name}: {first['msg']}."
