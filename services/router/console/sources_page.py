"""The sources: which are silent, rejecting or refused, since when, and what to do."""

from starlette.requests import Request
from starlette.responses import Response

from services.router.console.pages import Pages
from services.router.domain.source_health import ALARMS
from services.router.sessions import Session
from services.router.store.source_views import overview
from shared.db.engine import Database
from shared.runtime import Runtime


class SourcesPage:
    def __init__(self, runtime: Runtime, pages: Pages, database: Database) -> None:
        self._clock = runtime.clock
        self._pages = pages
        self._database = database

    async def show(self, request: Request, session: Session) -> Response:
        async with self._database.read() as connection:
            views = await overview(connection, self._clock.now())
        alarms = frozenset(state.value for state in ALARMS)
        return self._pages.render("sources.html", session, request, views=views, alarms=alarms)
