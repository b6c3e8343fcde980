"""The case doors: list, one, journal, commands, and opening one by hand."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query
from starlette.responses import Response

from services.router.api import cursors
from services.router.api.bodies import DOORS, Door, IdempotencyKey, OpenBody
from services.router.api.doors import Caller
from services.router.api.fields import BLANK_IS_NONE, OF_BODIES, CaseId, Filter, Limit, Place, invalid, problems
from services.router.api.schemas import (
    CaseOut,
    CommandDone,
    EntryOut,
    Page,
    case_members,
    case_out,
    entry_out,
)
from services.router.cases import Cases, InvalidCommand, NotFound, Refused
from services.router.domain.case import Severity, Status
from services.router.domain.commands import Command
from services.router.domain.view import CaseView
from services.router.store.views import list_cases, load_journal, load_view
from shared.clock import Clock
from shared.db.engine import Database
from shared.web import problem

Wake = Callable[[], None]
WhoCalls = Callable[..., Awaitable[Caller]]


def case_router(database: Database, cases: Cases, clock: Clock, wake: Wake, who_calls: WhoCalls) -> APIRouter:
    router = APIRouter(tags=["cases"])
    _add_reading(router, database, clock, who_calls)
    _add_opening(router, database, cases, clock, wake, who_calls)
    for door in DOORS:
        router.add_api_route(
            f"/v1/cases/{{case_id}}/{door.name}",
            _command_endpoint(door, database, cases, clock, wake, who_calls),
            methods=["POST"],
            summary=door.words,
            operation_id=f"case_{door.name}",
            response_model=CommandDone,
            responses=problems(
                _403="A console session without its CSRF token.",
                _404="No such case.",
                _409="The state forbids it; the detail says who was first.",
                **OF_BODIES,
                _422="A field is wrong; `errors` names it.",
            ),
        )
    return router


def _add_reading(router: APIRouter, database: Database, clock: Clock, who_calls: WhoCalls) -> None:
    @router.get("/v1/cases", responses=problems(_422="A filter or the cursor is wrong."))
    async def list_all(
        _: Annotated[Caller, Depends(who_calls)],
        after: Place,
        status: Annotated[Status | None, BLANK_IS_NONE] = None,
        owner: Filter = None,
        account_id: Filter = None,
        severity: Annotated[Severity | None, BLANK_IS_NONE] = None,
        overdue: Annotated[bool | None, BLANK_IS_NONE, Query(description="A touch is due and not made.")] = None,
        ended: Annotated[bool | None, BLANK_IS_NONE, Query(description="Closed or dismissed.")] = None,
        unowned: Annotated[
            bool | None, BLANK_IS_NONE, Query(description="With the fallback owner: nobody better is known.")
        ] = None,
        limit: Limit = 50,
    ) -> Page[CaseOut]:
        """Cases, newest first."""
        now = clock.now()
        async with database.read() as connection:
            views = await list_cases(
                connection,
                now=now,
                limit=limit + 1,
                status=status,
                owner=owner.lower() if owner else None,
                account_id=account_id,
                severity=severity,
                overdue=overdue,
                ended=ended,
                unowned=unowned,
                after=after,
            )
        shown, more = cursors.cut(views, limit, place_of)
        return Page(items=[case_out(view, now) for view in shown], next_cursor=more)

    @router.get("/v1/cases/{case_id}", responses=problems(_404="No such case."))
    async def one(case_id: CaseId, _: Annotated[Caller, Depends(who_calls)]) -> CaseOut:
        """One case with its account, responses and last touch."""
        async with database.read() as connection:
            view = await load_view(connection, case_id)
        if view is None:
            raise no_case(case_id)
        return case_out(view, clock.now())

    @router.get("/v1/cases/{case_id}/journal", responses=problems(_404="No such case."))
    async def journal(case_id: CaseId, _: Annotated[Caller, Depends(who_calls)]) -> Page[EntryOut]:
        """Everything that happened to a case, oldest first, hash-chained."""
        async with database.read() as connection:
            entries = await load_journal(connection, case_id)
        if not entries:
            raise no_case(case_id)
        return Page(items=[entry_out(entry) for entry in entries])


def _add_opening(
    router: APIRouter, database: Database, cases: Cases, clock: Clock, wake: Wake, who_calls: WhoCalls
) -> None:
    @router.post(
        "/v1/cases",
        status_code=201,
        response_model=CaseOut,
        responses=problems(
            _403="A session without its CSRF token.", _404="No such account.", _422="A field is wrong.", **OF_BODIES
        ),
    )
    async def open_by_hand(
        body: OpenBody, caller: Annotated[Caller, Depends(who_calls)], idempotency_key: IdempotencyKey = None
    ) -> Any:
        """Open a case by hand; it joins the account's open case when there is one. The same request again is answered
        with the case of the first and starts no second clock."""
        actor = actor_of(body.actor, caller)
        now = clock.now()
        try:
            async with database.transaction(urgent=True) as tx:
                case = await cases.open_by_hand(
                    tx, account_id=body.account_id, actor=actor, subject=body.subject, now=now, key=idempotency_key
                )
                view = await load_view(tx, case.id)
        except (NotFound, Refused, InvalidCommand) as error:
            return refusal(error)
        wake()
        assert view is not None
        return case_out(view, now)


def _command_endpoint(
    door: Door, database: Database, cases: Cases, clock: Clock, wake: Wake, who_calls: WhoCalls
) -> Callable[..., Awaitable[Any]]:
    async def endpoint(case_id: CaseId, body: Any, caller: Annotated[Caller, Depends(who_calls)]) -> Any:
        now = clock.now()
        command = door.build(body, actor_of(body.actor, caller), now)
        try:
            return await run_command(database, cases, wake, case_id, command, now)
        except (NotFound, Refused, InvalidCommand) as error:
            return refusal(error)

    # FastAPI reads the body's model from the annotation, which differs from door to door.
    endpoint.__annotations__["body"] = door.body
    return endpoint


async def run_command(
    database: Database, cases: Cases, wake: Wake, case_id: str, command: Command, now: datetime
) -> CommandDone:
    """Apply and commit, then wake the delivery. Raises NotFound, Refused, InvalidCommand."""
    async with database.transaction(urgent=True) as tx:
        applied = await cases.apply(tx, case_id, command, now)
        view = await load_view(tx, case_id)
    wake()
    assert view is not None
    return CommandDone(**case_members(view, now), repeated=applied.repeated, message=applied.text)


def refusal(error: NotFound | Refused | InvalidCommand) -> Response:
    if isinstance(error, NotFound):
        return problem(404, str(error))
    if isinstance(error, Refused):
        return problem(409, error.text)
    return problem(422, str(error), errors=[{"at": f"body.{error.field}", "problem": error.text}])


def actor_of(named: str | None, caller: Caller) -> str:
    """The person signed in; with the admin token, the one the request names."""
    actor = caller.email or named
    if actor is None:
        raise invalid("body.actor", "Name the person who does this, by e-mail.")
    return actor


def place_of(view: CaseView) -> str:
    """The cursor that leads on from there."""
    return cursors.encode_place(view.case.opened_at, view.case.id)


def no_case(case_id: str) -> HTTPException:
    return HTTPException(404, f"There is no case {case_id}.")
