"""What became of each call, written down: all that waits in one transaction; a bad one is written alone."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.cases import Cases
from services.router.channels.base import BadMessage, Gone, NotSent, Parked, RateLimited, Sent, Unknown
from services.router.delivery.results import Dropped, Looked, Lost, Posted, Result, Updated
from services.router.delivery.undelivered import Undelivered
from services.router.domain.arrivals import SYSTEM
from services.router.domain.commands import RecordAlert
from services.router.store import notices, people
from services.router.store.notices import Row
from shared.db.engine import Database
from shared.errors import TransientError
from shared.observability import EVENT_TO_ALERT, NOTICES

log = structlog.get_logger(__name__)

LOOKS = (timedelta(seconds=2), timedelta(seconds=10), timedelta(seconds=25))
REPOST = timedelta(seconds=30)
PARKED_FOR = timedelta(minutes=5)
# Refused as often as that, one message no longer keeps back what comes after it in its place.
MOST_ATTEMPTS = 8
_LOOK_AGAIN = timedelta(seconds=5)


class Settler:
    def __init__(self, database: Database, cases: Cases, undelivered: Undelivered) -> None:
        self._database = database
        self._cases = cases
        self._undelivered = undelivered

    async def remember(self, news: Sequence[people.Person]) -> None:
        """What was found out about people: cards made from now on show it."""
        async with self._database.transaction(urgent=True) as tx:
            for person in news:
                await people.remember(tx, person)

    async def settle(self, results: Sequence[Result], now: datetime) -> list[Result]:
        """Returns what is written now; the rest belongs to cases that somebody else is writing. Raises
        DatabaseUnavailable: then all of it must be tried again, which does no harm to what was written."""
        try:
            return await self._write(results, now)
        except TransientError:
            if len(results) <= 1:
                raise
            return await self._one_by_one(results, now)
        except Exception:
            log.exception("settling_failed", results=len(results))
            return await self._one_by_one(results, now)

    async def _one_by_one(self, results: Sequence[Result], now: datetime) -> list[Result]:
        written: list[Result] = []
        for result in results:
            try:
                written += await self._write([result], now)
            except TransientError:
                if written:
                    return written
                raise
            except Exception:
                log.exception("settling_one_failed", result=type(result).__name__)
                await self._least(result, now)
                written.append(result)
        return written

    async def _least(self, result: Result, now: datetime) -> None:
        """What must be true whatever else went wrong: a message on display is never sent again."""
        async with self._database.transaction(urgent=True) as tx:
            if isinstance(result, Posted | Looked) and isinstance(result.outcome, Sent):
                await notices.arrive(tx, [_arrived(result)])
            elif not isinstance(result, Updated):
                await self._park(tx, result.row, "an error of ours; see the log", now, now)

    async def _write(self, results: Sequence[Result], now: datetime) -> list[Result]:
        seen: list[Posted | Looked] = []
        async with self._database.transaction(urgent=True) as tx:
            held = await self._cases.hold(tx, {_case_of(result) for result in results})
            results = [result for result in results if _case_of(result) in held]
            for result in results:
                if isinstance(result, Posted | Looked) and isinstance(result.outcome, Sent):
                    seen.append(result)
                else:
                    await self._write_one(tx, result, now)
            new = await notices.arrive(tx, [_arrived(result) for result in seen])
            alerts = [result for result in seen if result.row.id in new and _is_alert(result.row)]
            await self._cases.record_alerts(tx, _by_case(alerts), now)
        for result in results:
            _count(result)
        for result in alerts:
            if result.row.since is not None:
                EVENT_TO_ALERT.observe(max(0.0, (_seen_at(result) - result.row.since).total_seconds()))
        return list(results)

    async def _write_one(self, tx: AsyncConnection, result: Result, now: datetime) -> None:
        match result:
            case Posted():
                await self._not_arrived(tx, result, now)
            case Looked():
                await _not_found(tx, result)
            case Updated():
                await _updated(tx, result)
            case Dropped(row, why):
                await notices.end(tx, row.id, "dead", why)
            case Lost(row, why):
                if not await self._cases.recipient_unreachable(tx, row.id, why, now):
                    await self._park(tx, row, why, now, now, reachable=False)

    async def _not_arrived(self, tx: AsyncConnection, result: Posted, now: datetime) -> None:
        row, ended = result.row, result.ended_at
        match result.outcome:
            case Unknown(reason):
                await notices.doubt(tx, row.id, ended, ended + LOOKS[0], reason)
            case RateLimited(seconds):
                await notices.postpone(tx, row.id, ended + timedelta(seconds=seconds), "rate limited")
            case NotSent(reason) if row.attempt >= MOST_ATTEMPTS:
                await self._park(tx, row, reason, ended, now)
            case NotSent(reason):
                await notices.postpone(tx, row.id, result.not_before or ended, reason)
            case Parked(reason, everywhere=True):
                # The breaker holds everything back; once it closes nothing shall wait longer.
                await notices.postpone(tx, row.id, ended, reason)
            case Parked(reason):
                await self._park(tx, row, reason, ended, now)
            case BadMessage(reason):
                await self._park(tx, row, f"the message is wrong: {reason}", ended, now)
            case other:
                await self._park(tx, row, f"unexpected: {other}", ended, now)

    async def _park(
        self, tx: AsyncConnection, row: Row, why: str, ended: datetime, now: datetime, reachable: bool = True
    ) -> None:
        # First, because it takes the case, and cases go before their notices.
        await self._undelivered.tell(tx, row, why, now, reachable)
        await notices.end(tx, row.id, "parked", why, ended + PARKED_FOR)


def next_look(row: Row, at: datetime) -> tuple[int, datetime]:
    """How many of the looks are done once one was made at `at`, and when the next step is due."""
    ended = row.attempt_ended_at or at
    done = sum(1 for span in LOOKS if ended + span <= at)
    return done, ended + (*LOOKS, REPOST)[done]


async def _not_found(tx: AsyncConnection, result: Looked) -> None:
    row, at = result.row, result.at
    ended = row.attempt_ended_at or at
    if isinstance(result.outcome, RateLimited):
        await notices.looked(tx, row.id, row.looks, at + timedelta(seconds=result.outcome.seconds))
    elif isinstance(result.outcome, Unknown | NotSent):
        await notices.looked(tx, row.id, row.looks, at + _LOOK_AGAIN)
    elif at >= ended + REPOST:
        await notices.repeat(tx, row.id)
        if row.kind in notices.CALLS:
            await notices.collapse_calls(tx)
    else:
        # None: it is not there (yet). Parked: the history cannot be read, which a person must put right.
        done, due_at = next_look(row, at)
        await notices.looked(tx, row.id, done, due_at)


async def _updated(tx: AsyncConnection, result: Updated) -> None:
    ids = [row.id for row in result.rows]
    match result.outcome:
        case Sent():
            await notices.published(tx, ids, result.rev)
        case Gone(removed=True) if not result.case_ended:
            await notices.display_again(tx, ids)
        case NotSent() | RateLimited() | Unknown() | Parked(everywhere=True):
            return  # chat.update may be repeated freely: the card stays stale and comes up again
        case _:
            await notices.published(tx, ids, max(row.desired_rev for row in result.rows))


def _case_of(result: Result) -> str:
    return result.rows[0].case_id if isinstance(result, Updated) else result.row.case_id


def _is_alert(row: Row) -> bool:
    """Whether its arrival counts as one; a card that comes again after somebody deleted it does not."""
    return row.since is not None and row.sent_at is None


def _by_case(seen: Sequence[Posted | Looked]) -> dict[str, list[RecordAlert]]:
    alerts: dict[str, list[RecordAlert]] = {}
    for result in seen:
        row = result.row
        command = RecordAlert(actor=SYSTEM, notice_id=row.id, role=row.role, sent_at=_seen_at(result), since=row.since)
        alerts.setdefault(row.case_id, []).append(command)
    return alerts


def _arrived(result: Posted | Looked) -> notices.Arrived:
    assert isinstance(result.outcome, Sent)
    # A card found later may show an older state than the present one: it is drawn again.
    found = 0 if result.row.kind == "card" else result.row.desired_rev
    rev = result.rev if isinstance(result, Posted) else found
    return notices.Arrived(result.row.id, result.outcome.place, result.outcome.ts, rev, _seen_at(result))


def _seen_at(result: Posted | Looked) -> datetime:
    """When the message was on display. For one found later that is Slack's own time of it."""
    if isinstance(result, Posted) or not isinstance(result.outcome, Sent):
        return result.ended_at if isinstance(result, Posted) else result.at
    started = result.row.attempt_started_at or result.at
    try:
        told = datetime.fromtimestamp(float(result.outcome.ts), UTC)
    except ValueError:
        return result.at
    return min(max(told, started), result.at)


def _count(result: Result) -> None:
    match result:
        case Posted(row, Sent()) | Looked(row, Sent()):
            NOTICES.labels(row.kind, "sent").inc()
        case Posted(row, Unknown()):
            NOTICES.labels(row.kind, "uncertain").inc()
        case Posted(row, Parked(everywhere=False) | BadMessage()):
            NOTICES.labels(row.kind, "parked").inc()
        case Dropped(row) | Lost(row):
            NOTICES.labels(row.kind, "dead").inc()
        case _:
            return
