"""The audit on a timer: checks invariants and journals, turns figures into gauges, and leaves a heartbeat."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import structlog
from prometheus_client import Gauge

from services.router.audit.facts import heartbeats
from services.router.audit.facts.promises import read_promises
from services.router.audit.facts.standing import standing
from services.router.audit.figures import measure
from services.router.audit.invariants import Finding, Question, check
from services.router.audit.periods import PeriodKind, window
from services.router.audit.verification import Flaw, verify_next
from shared.db.engine import Database
from shared.runtime import Loop, Runtime, sleep_or_stop

log = structlog.get_logger(__name__)

HEARTBEAT = "audit"
PATROL = "audit.patrol"
EVERY = timedelta(minutes=1)
_FIGURES_EVERY = 5
_GAUGE_DAYS = 7
_MOST_FLAWS = 100

BROKEN = Gauge("closeloop_invariant_broken", "Rows that break an invariant (at most 100 are counted)", ["invariant"])
FIGURE = Gauge("closeloop_sla", "SLA figures of the last 7 days, as /v1/sla has them", ["metric"])
OPEN = Gauge("closeloop_cases_open", "Cases that are not ended", ["state"])


@dataclass(frozen=True, slots=True)
class Audited:
    """What the last round found."""

    findings: list[Finding]
    flaws: dict[str, str]


def loops(runtime: Runtime) -> Sequence[Loop]:
    """The audit loop of a router."""
    database = runtime.database
    assert database is not None

    async def run(stop: asyncio.Event) -> None:
        number = 0
        while not stop.is_set():
            await audit_round(database, runtime, with_figures=number % _FIGURES_EVERY == 0)
            number += 1
            await sleep_or_stop(runtime.clock, EVERY, stop)

    return [Loop("audit", run)]


async def audit_round(database: Database, runtime: Runtime, with_figures: bool = True) -> Audited:
    """Check every invariant and the next stretch of journals; set the gauges; leave a heartbeat."""
    now = runtime.clock.now()
    async with database.read() as connection:
        findings = await check(connection, Question(now, runtime.policy))
        state = await standing(connection, now)
    flaws = await patrol(database, now)
    for finding in findings:
        BROKEN.labels(finding.name).set(len(finding.broken_by))
        if not finding.holds:
            log.error("invariant_broken", invariant=finding.name, kind=finding.kind, broken_by=finding.broken_by[:10])
    BROKEN.labels("journal_verifies").set(len(flaws))
    for name, value in (("open", state.open), ("overdue", state.overdue), ("unowned", state.unowned)):
        OPEN.labels(name).set(value)
    if with_figures:
        await _set_figures(database, now)
    broken = {finding.name: len(finding.broken_by) for finding in findings if not finding.holds}
    async with database.transaction() as tx:
        await heartbeats.beat(tx, HEARTBEAT, now, json.dumps(broken, sort_keys=True))
    return Audited(findings, flaws)


async def patrol(database: Database, now: datetime) -> dict[str, str]:
    """Verify the next stretch of journals where the last round ended, so that all of history comes up in turn at a
    constant cost a round. Returns the flaws known: case id -> what is wrong."""
    async with database.read() as connection:
        beat = await heartbeats.last(connection, PATROL)
        after, known = _remembered(beat.note if beat else None)
        progress = await verify_next(connection, after)
    kept = {case: words for case, words in known.items() if not after < case <= (progress.last or "~")}
    flaws = {**kept, **_worded(progress.flaws)}
    for flaw in progress.flaws:
        log.error("journal_flawed", **asdict(flaw))
    note = json.dumps({"after": progress.last, "flaws": dict(list(flaws.items())[:_MOST_FLAWS])})
    async with database.transaction() as tx:
        await heartbeats.beat(tx, PATROL, now, note)
    return flaws


def _remembered(note: str | None) -> tuple[str, dict[str, str]]:
    stored = json.loads(note) if note else {}
    return stored.get("after", ""), stored.get("flaws", {})


def known_flaws(note: str | None) -> dict[str, str]:
    """The flaws a patrol's heartbeat remembers: case id -> what is wrong."""
    return _remembered(note)[1]


def _worded(flaws: Sequence[Flaw]) -> dict[str, str]:
    return {flaw.case_id: flaw.words for flaw in flaws}


async def _set_figures(database: Database, now: datetime) -> None:
    within = window(PeriodKind.DAY, (now - timedelta(days=_GAUGE_DAYS - 1)).date(), None, now)
    async with database.read() as connection:
        promises = [promise async for promise in read_promises(connection, within)]
    for name, value in measure(promises, now).items():
        FIGURE.labels(name).set(float("nan") if value is None else value)
