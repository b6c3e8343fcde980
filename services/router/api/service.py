"""The router's API as routes of an app."""

from collections.abc import Callable, Sequence

from fastapi import APIRouter
from starlette.routing import BaseRoute

from services.router.api.accounts import account_router
from services.router.api.audit import audit_router
from services.router.api.cases import case_router
from services.router.api.covers import cover_router
from services.router.api.doors import caller_of
from services.router.api.people import people_router
from services.router.api.sla import sla_router
from services.router.api.sources import source_router
from services.router.cases import Cases
from services.router.covering import Covering
from services.router.sessions import Sessions
from shared.runtime import Runtime


def routes(
    runtime: Runtime, cases: Cases, wake: Callable[[], None], sessions: Sessions | None = None
) -> Sequence[BaseRoute]:
    """`wake` is called after a commit that may have made notices. `sessions`: those of the console, so that its
    pages may read the API too."""
    database, clock = runtime.database, runtime.clock
    assert database is not None
    who_calls = caller_of(runtime, sessions or Sessions(runtime))
    routers: Sequence[APIRouter] = (
        case_router(database, cases, clock, wake, who_calls),
        account_router(database, runtime.bus, clock, who_calls),
        cover_router(database, Covering(database, cases, runtime.policy, clock, wake), clock, who_calls),
        people_router(database, runtime.policy.routing, clock, who_calls),
        sla_router(database, clock, runtime.policy.sla.target, who_calls),
        audit_router(database, clock, runtime.policy, who_calls),
        source_router(database, clock, who_calls),
    )
    return [route for router in routers for route in router.routes]
