"""Nothing is O(history): no statement of the hot paths reads a table that grows. (The words of plans are SQLite's.)"""

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from services.router import tables
from services.router.domain import commands
from services.router.store import agendas, cases, mails, notices
from tests.support.domain import touch
from tests.support.router import RouterBench

ANA, MAX = "ana@us.example", "max@us.example"
HOUR = timedelta(hours=1)
GROWING = {"cases", "touch_clocks", "journal", "responses", "texts", "tickets", "deliveries", "deadlines", "notices"}
GROWING |= {"covers", "people", "mails"}
PARTIAL = {
    str(index.name)
    for table in tables.metadata.tables.values()
    for index in table.indexes
    if index.dialect_options["sqlite"]["where"] is not None
}
Statements = dict[str, Any]


@pytest.fixture
async def router(tmp_path: Path) -> AsyncIterator[RouterBench]:
    bench = await RouterBench.create(f"sqlite+aiosqlite:///{tmp_path}/closeloop.db", "[noise]\nweekly_budget = 1")
    yield bench
    await bench.close()


@pytest.fixture
def sent() -> Iterator[Statements]:
    """Every statement that went to the database, with one set of its parameters."""
    found: Statements = {}

    def remember(_: Any, __: Any, statement: str, parameters: Any, ___: Any, many: bool) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA", "EXPLAIN")):
            found.setdefault(statement, parameters[0] if many else parameters)

    event.listen(Engine, "before_cursor_execute", remember)
    yield found
    event.remove(Engine, "before_cursor_execute", remember)


async def lives(router: RouterBench) -> None:
    """A case from its first low score over absence, breach, touch and close to the next one."""
    await router.account()
    await router.hears(router.answer(2))
    await router.hears(router.answer(1, record_id="r2"))
    await router.account(csm=MAX)
    await router.ticket("solved")
    router.clock.advance(HOUR)
    await router.ticket("open")
    await router.away(MAX, ANA)
    await router.passes(timedelta(days=2), 6 * HOUR)
    async with router.database.read() as connection:
        case_id = str(await cases.open_case_of(connection, "account:acme"))
    await router.does(case_id, touch(router.clock.now()))
    router.clock.advance(HOUR)
    await router.hears(router.answer(5), router.answer(5, record_id="r3", ticket_id=None))
    await router.does(case_id, commands.ConfirmClosed(actor=ANA))
    router.clock.advance(HOUR)
    await router.hears(router.answer(1))


async def is_looked_at(router: RouterBench) -> None:
    """By the sender's loop, on a Home tab, by the relay."""
    now = router.clock.now()
    async with router.database.read() as connection:
        await agendas.agenda(connection, ANA, now, now + HOUR)
        await agendas.page_of(connection, ANA, now, now + HOUR, 0)
        await notices.waiting(connection, now, 10, ())
        await notices.unsettled(connection)
        await notices.stale_cards(connection, 10)
        await notices.parked_until(connection, now)
        await notices.oldest_waiting(connection)
        await mails.waiting(connection, now, now - HOUR, 10)
        await mails.unheard(connection, ["card"], now, 10)
        await cases.unrelayed(connection, 10)


@pytest.mark.parametrize("story", [lives, is_looked_at])
async def test_no_statement_reads_all_the_past(
    story: Callable[[RouterBench], Any], router: RouterBench, sent: Statements
) -> None:
    await story(router)
    reads_everything = []
    async with router.database.read() as connection:
        for statement, parameters in list(sent.items()):
            explained = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            reads_everything += [(step[3], statement) for step in explained.all() if _reads_everything(step[3])]
    assert reads_everything == []


def _reads_everything(step: str) -> bool:
    words = step.split()
    return words[0] == "SCAN" and words[1] in GROWING and words[-1] not in PARTIAL
