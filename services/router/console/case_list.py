"""The first page: cases newest first, filters as chips, and how things stand."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.router.api import cursors
from services.router.api.cases import place_of
from services.router.audit.facts.standing import standing
from services.router.cases import Cases, InvalidCommand, NotFound, Refused
from services.router.console.pages import SECURITY, Pages, cursor_of, with_query
from services.router.domain.case import Severity, Status
from services.router.domain.masking import masked
from services.router.sessions import Session
from services.router.store.views import list_cases
from shared.db.engine import Database
from shared.runtime import Runtime

PAGE = 50
_FILTERS = ("status", "severity", "owner", "account_id")
# Filters that are on or off, and what they say when they are on.
_FLAGS = {"overdue": "true", "ended": "false", "unowned": "true"}
_LONGEST = 320


class CaseList:
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

    async def open_by_hand(self, request: Request, session: Session) -> Response:
        form = await request.form(max_files=0, max_fields=10)
        if not session.allows(str(form.get("csrf", ""))):
            return self._pages.refused(session, request)
        account_id, subject = (_clean(str(form.get(name, "")), 20_000) for name in ("account_id", "subject"))
        try:
            async with self._database.transaction(urgent=True) as tx:
                case = await self._cases.open_by_hand(
                    tx, account_id=account_id, actor=session.email, subject=subject, now=self._clock.now()
                )
        except (NotFound, InvalidCommand, Refused) as error:
            typed = {"account_id": account_id, "subject": subject, "wrong": getattr(error, "text", str(error))}
            return await self._page(request, session, 422, typed)
        self._wake()
        response = RedirectResponse(f"/cases/{case.id}", 303, SECURITY)
        self._pages.sessions.tell(response, "The case is open; owner and support lead are told.")
        return response

    async def _page(
        self, request: Request, session: Session, status: int = 200, typed: dict[str, str] | None = None
    ) -> Response:
        now = self._clock.now()
        chosen = _chosen(request)
        after = cursor_of(request, cursors.decode_place)
        async with self._database.read() as connection:
            views = await list_cases(
                connection,
                now=now,
                limit=PAGE + 1,
                after=after,
                **{**chosen, **{name: chosen[name] and on == "true" for name, on in _FLAGS.items()}},
            )
            state = await standing(connection, now)
        shown, cursor = cursors.cut(views, PAGE, place_of)
        prefilled = {"account_id": _clean(request.query_params.get("open", "")), "subject": "", "wrong": ""}
        return self._pages.render(
            "cases.html",
            session,
            request,
            status,
            views=[masked(view) for view in shown],
            standing=state,
            chosen=chosen,
            filtered=any(chosen.values()),
            chips=_chips(chosen, session),
            older=with_query("/", **chosen, cursor=cursor) if cursor else None,
            newest=with_query("/", **chosen),
            paged=after is not None,
            typed=typed or prefilled,
            opening=typed is not None or bool(prefilled["account_id"]),
        )


def _chosen(request: Request) -> dict[str, Any]:
    """The filters asked for; what cannot be one is left out."""
    asked = {name: _clean(request.query_params.get(name, "")) or None for name in _FILTERS}
    if asked["status"] not in set(Status):
        asked["status"] = None
    if asked["severity"] not in set(Severity):
        asked["severity"] = None
    asked["owner"] = asked["owner"] and asked["owner"].lower()
    flags = {name: on if request.query_params.get(name) == on else None for name, on in _FLAGS.items()}
    return {**asked, **flags}


def _chips(chosen: dict[str, str | None], session: Session) -> list[list[tuple[str, str, bool]]]:
    """Rows of (label, link, whether it is on); a click on one that is on takes it away."""

    def chip(label: str, **change: str) -> tuple[str, str, bool]:
        on = all(chosen[name] == value for name, value in change.items())
        return label, with_query("/", **{**chosen, **(dict.fromkeys(change) if on else change)}), on

    people = [chip("Not ended", ended="false"), chip("Overdue", overdue="true"), chip("Mine", owner=session.email)]
    if chosen["owner"] not in (None, session.email):
        people.append(chip(f"Owner {chosen['owner']}", owner=str(chosen["owner"])))
    if chosen["unowned"]:
        people.append(chip("With the fallback owner", unowned="true"))
    if chosen["account_id"]:
        people.append(chip(f"Account {chosen['account_id']}", account_id=chosen["account_id"]))
    return [
        people,
        [chip(status.value.capitalize(), status=status.value) for status in Status],
        [chip(severity.value.capitalize(), severity=severity.value) for severity in reversed(Severity)],
    ]


def _clean(text: str, longest: int = _LONGEST) -> str:
    return text.replace("\0", "").strip()[:longest]
