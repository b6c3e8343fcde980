"""journal -> cases.changed, for CRM, warehouse and renewal model; the head hash goes out as a witness (G10)."""

import asyncio
import json
from datetime import timedelta

import structlog
from sqlalchemy.engine import RowMapping

from services.router.store import cases as rows
from services.router.store import leases
from shared import ids
from shared.bus.base import Bus
from shared.clock import Clock
from shared.db.engine import Database
from shared.errors import TransientError
from shared.events.catalog import CaseChanged, case_changed
from shared.events.envelope import to_record
from shared.runtime import sleep_or_stop

log = structlog.get_logger(__name__)

_BATCH = 500
_LOOK_EVERY = timedelta(milliseconds=500)
_LEASE = "relay"
_LEASE_FOR = timedelta(seconds=15)


class Relay:
    """One router relays at a time, so that the entries of a case go out in order; the ids make a repeat harmless."""

    def __init__(self, database: Database, bus: Bus, clock: Clock) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._name = ids.new_id()

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                if await self.relay() == _BATCH:
                    continue
            except TransientError as error:
                log.warning("relay_postponed", why=str(error))
            await sleep_or_stop(self._clock, _LOOK_EVERY, stop)

    async def relay(self) -> int:
        """Publish what is not yet published, oldest first; returns how many entries."""
        now = self._clock.now()
        async with self._database.transaction() as tx:
            if not await leases.hold(tx, _LEASE, self._name, now, _LEASE_FOR):
                return 0
        async with self._database.read() as connection:
            found = await rows.unrelayed(connection, _BATCH)
        if not found:
            return 0
        await self._bus.publish([to_record(case_changed(_public(row))) for row in found])
        async with self._database.transaction() as tx:
            await rows.mark_relayed(tx, [(row["case_id"], row["seq"]) for row in found], now)
        return len(found)


def _public(row: RowMapping) -> CaseChanged:
    return CaseChanged(
        case_id=row["case_id"],
        seq=row["seq"],
        at=row["at"],
        actor=row["actor"],
        change=row["type"],
        data=json.loads(row["data"]),
        hash=row["hash"],
        status=row["status"],
        severity=row["severity"],
        owner=row["owner"],
        account_id=row["account_id"],
    )
