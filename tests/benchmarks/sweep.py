"""What a deadline sweep costs when a million deadlines are open, against the same with a thousand."""

import statistics
from collections.abc import Awaitable, Callable
from datetime import timedelta

from sqlalchemy import text, update

from services.router.tables import deadlines
from tests.benchmarks.figures import Benchmark, Figure, Setting, interleaved, median_ratio, seconds
from tests.support.router import RouterBench

DUE = 100
FEW, MANY = 1_000, 1_000_000
POLICY = '[sla]\ntouch_within = "24h"\nremind_before = ["4h"]\n'
_UNTIL_REMINDED = timedelta(hours=20, seconds=1)

_FILL = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)"
    " INSERT INTO deadlines (id, case_id, kind, step, due_at)"
    " SELECT 'open-' || i, 'L-' || i, 'close_out', 0, datetime('2036-01-01', '+' || i || ' minutes') || '.000000'"
    " FROM n",
    "postgresql": "INSERT INTO deadlines (id, case_id, kind, step, due_at)"
    " SELECT 'open-' || i, 'L-' || i, 'close_out', 0, timestamptz '2036-01-01' + i * interval '1 minute'"
    " FROM generate_series(1, :count) AS i",
}


class Field:
    """A router with so many deadlines that are open but far from due."""

    def __init__(self, router: RouterBench) -> None:
        self.router = router
        self._opened = 0

    @classmethod
    async def create(cls, url: str, count: int) -> "Field":
        router = await RouterBench.create(url, POLICY)
        async with router.database.transaction() as tx:
            await tx.execute(text(_FILL[tx.dialect.name]), {"count": count})
        async with router.database.transaction() as tx:
            await tx.execute(text("ANALYZE"))
        return cls(router)

    async def sweep(self) -> float:
        """Open cases, turn the clock until their reminders are due, and time the sweep that fires them."""
        router = self.router
        for _ in range(DUE):
            self._opened += 1
            account = f"account-{self._opened}"
            await router.account(account, domains=[f"{account}.example"])
            async with router.database.transaction() as tx:
                await router.cases.open_by_hand(
                    tx, account_id=account, actor="ana@us.example", subject="They phoned.", now=router.clock.now()
                )
        router.clock.advance(_UNTIL_REMINDED)
        fired = 0

        async def work() -> None:
            nonlocal fired
            fired = await router.sweeper.sweep()

        took = await seconds(work)
        assert fired == DUE, f"{fired} fired, not {DUE}"
        await self._forget()
        return took * 1000

    async def _forget(self) -> None:
        """What else these cases would have fall due is not what is measured."""
        mine = deadlines.c.done_at.is_(None) & deadlines.c.id.not_like("open-%")
        async with self.router.database.transaction() as tx:
            await tx.execute(update(deadlines).where(mine).values(done_at=self.router.clock.now()))


async def run(setting: Setting) -> list[Figure]:
    figures = await _compare(setting, "SQLite", lambda name: f"sqlite+aiosqlite:///{setting.home}/sweep-{name}.db")
    return figures + await _compare(setting, "PostgreSQL", lambda _: setting.postgres())


async def _compare(setting: Setting, label: str, url: Callable[[str], str]) -> list[Figure]:
    few, many = await Field.create(url("few"), FEW), await Field.create(url("many"), MANY)
    contestants: dict[str, Callable[[], Awaitable[float]]] = {"few": few.sweep, "many": many.sweep}
    await interleaved(1, contestants)
    took = await interleaved(setting.rounds, contestants)
    for field in (few, many):
        await field.router.close()
    return [
        Figure(f"{label}: {DUE} due of {FEW:,} open", statistics.median(took["few"]), "ms"),
        Figure(
            f"{label}: {DUE} due of {MANY:,} open",
            statistics.median(took["many"]),
            "ms",
            baseline=f"{FEW:,} open",
            ratio=median_ratio(took["many"], took["few"]),
            most=1.5,
        ),
    ]


BENCHMARK = Benchmark("deadline-sweep", "firing what is due must not cost more because much is open", run)
