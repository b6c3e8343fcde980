"""Does everything hold: the invariants, checked now, the loops' signs of life, and what waits to be sent."""

from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from services.router.api.audit import journal_finding
from services.router.audit.facts import heartbeats
from services.router.audit.facts.standing import standing
from services.router.audit.invariants import Question, check
from services.router.audit.service import PATROL, known_flaws
from services.router.console.pages import Pages
from services.router.sessions import Session
from shared.db.engine import Database
from shared.runtime import Runtime

_FRESH, _FRESH_NIGHTLY = timedelta(minutes=5), timedelta(hours=27)
_NIGHTLY = frozenset({"preflight", "duplicate sweep"})


class HealthPage:
    def __init__(self, runtime: Runtime, pages: Pages, database: Database) -> None:
        self._runtime = runtime
        self._pages = pages
        self._database = database

    async def show(self, request: Request, session: Session) -> Response:
        now = self._runtime.clock.now()
        async with self._database.read() as connection:
            findings = await check(connection, Question(now, self._runtime.policy))
            beats = await heartbeats.every(connection)
            state = await standing(connection, now)
        flaws = known_flaws(next((beat.note for beat in beats if beat.name == PATROL), None))
        findings.append(journal_finding(flaws))
        return self._pages.render(
            "health.html",
            session,
            request,
            findings=findings,
            beats=beats,
            standing=state,
            flaws=flaws,
            late={beat.name for beat in beats if _is_late(beat, now)},
        )


def _is_late(beat: heartbeats.Heartbeat, now: datetime) -> bool:
    return now - beat.at > (_FRESH_NIGHTLY if beat.name in _NIGHTLY else _FRESH)
