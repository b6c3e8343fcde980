"""The figures can be proved: the journal alone gives the same, and no entry can be changed unseen (G10)."""

import asyncio
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select, update

from services.router import tables
from services.router.audit.facts.chains import next_cases, read_chains, to_entry
from services.router.audit.facts.promises import read_promises
from services.router.audit.figures import measure
from services.router.audit.invariants import Question, check
from services.router.audit.periods import Window
from services.router.audit.promise import Promise
from services.router.audit.recompute import recompute
from services.router.audit.service import audit_round, patrol
from services.router.audit.verification import Flaw, verify_cases, verify_next
from services.router.domain import commands
from services.router.domain.case import Status
from services.router.store.erasure import erase_person
from tests.support.domain import ANA, touch
from tests.support.examples import examples
from tests.support.life import DAY, HOUR, live, slack_answers
from tests.support.router import NOON, RouterBench
from tests.support.router_doors import Doors

ALL_TIME = Window(NOON - 365 * DAY, NOON + 3650 * DAY)


async def from_rows(router: RouterBench) -> list[Promise]:
    async with router.database.read() as connection:
        return [promise async for promise in read_promises(connection, ALL_TIME, with_tier=True)]


async def from_journal(router: RouterBench) -> list[Promise]:
    async with router.database.read() as connection:
        chains = await read_chains(connection, await next_cases(connection, "", 1000))
    return recompute(to_entry(sealed) for chain in chains for sealed in chain.entries)


async def flaws(router: RouterBench) -> list[Flaw]:
    async with router.database.read() as connection:
        return list((await verify_next(connection, "", 1000)).flaws)


async def broken(router: RouterBench, everything: bool = True) -> set[str]:
    async with router.database.read() as connection:
        question = Question(router.clock.now(), router.policy, everything)
        return {finding.name for finding in await check(connection, question) if not finding.holds}


async def assert_proved(router: RouterBench) -> None:
    await router.sweeper.sweep()
    rows, journal = await from_rows(router), await from_journal(router)
    assert [promise.clock_id for promise in rows] == [promise.clock_id for promise in journal]
    assert measure(rows, router.clock.now()) == measure(journal, router.clock.now())
    assert await flaws(router) == []
    assert await broken(router) <= {"alert_is_sent"}


@pytest.mark.parametrize("seed", range(2))
async def test_g10_figures_from_the_rows_are_those_of_the_journal(router: RouterBench, seed: int) -> None:
    await live(router, seed, 45)
    await assert_proved(router)


@settings(max_examples=examples(6))
@given(st.integers(0, 10**9), st.integers(5, 30))
def test_g10_figures_follow_from_the_journal_whatever_happens(seed: int, steps: int) -> None:
    async def story() -> None:
        with tempfile.TemporaryDirectory() as home:
            router = await RouterBench.create(f"sqlite+aiosqlite:///{home}/closeloop.db")
            try:
                await live(router, seed, steps)
                await assert_proved(router)
            finally:
                await router.close()

    asyncio.run(story())


async def test_a_merged_orphan_keeps_its_alert_and_counts_once(router: RouterBench) -> None:
    await router.low(record_id="r1")
    await router.low(record_id="r2", requester_email="x@stray.example")
    await slack_answers(router)
    router.clock.advance(HOUR)
    await router.account(domains=["acme.example", "stray.example"])
    figures = measure(await from_rows(router), router.clock.now())
    assert (figures["flagged"], figures["alert_p99_s"], figures["unowned"]) == (2, 1.0, 0)
    assert measure(await from_journal(router), router.clock.now()) == figures
    assert await flaws(router) == []


async def test_a_touched_case_that_a_waiting_one_is_merged_into_has_no_close_out_any_more(router: RouterBench) -> None:
    first = (await router.low(record_id="r1", requester_email="x@stray.example")).case
    await router.does(first.id, touch(router.clock.now()))
    await router.low(record_id="r2", requester_email="y@other.example")
    await router.account(domains=["stray.example", "other.example"])
    [merged] = [view for view in await router.all_cases() if view.case.status != "closed"]
    assert (merged.case.status, merged.case.close_out_due_at) == (Status.OPEN, None)
    assert await flaws(router) == []


async def test_an_entry_that_was_changed_is_found(router: RouterBench) -> None:
    case = (await router.low()).case
    journal = tables.journal
    async with router.database.transaction() as tx:
        await tx.execute(update(journal).where(journal.c.case_id == case.id).values(actor="somebody.else@us.example"))
    assert [(flaw.case_id, flaw.seq) for flaw in await flaws(router)] == [(case.id, 1)]


async def test_an_entry_that_was_taken_away_is_found(router: RouterBench) -> None:
    case = (await router.low()).case
    await router.does(case.id, commands.AddNote(actor=ANA, note="Called"))
    async with router.database.transaction() as tx:
        await tx.execute(tables.journal.delete().where(tables.journal.c.seq == 2))
    (flaw,) = await flaws(router)
    assert "ends at 1" in flaw.words


async def test_a_text_that_was_changed_is_found(router: RouterBench) -> None:
    case = (await router.low()).case
    await router.does(case.id, commands.AddNote(actor=ANA, note="I promised nothing"))
    texts = tables.texts
    async with router.database.transaction() as tx:
        await tx.execute(update(texts).where(texts.c.body == "I promised nothing").values(body="I promised all"))
    (flaw,) = await flaws(router)
    assert flaw.seq == 2


async def test_a_touch_written_into_the_rows_alone_is_found(router: RouterBench) -> None:
    case = (await router.low()).case
    clocks = tables.touch_clocks
    async with router.database.transaction() as tx:
        await tx.execute(update(clocks).values(touched_at=NOON + HOUR))
    (flaw,) = await flaws(router)
    assert (flaw.case_id, flaw.words) == (case.id, "its figures do not follow from its journal")


async def test_a_person_is_erased_and_the_chain_still_holds(router: RouterBench) -> None:
    case = (await router.low(comment="Call me on 555-0100")).case
    async with router.database.transaction() as tx:
        erased = await erase_person(tx, " Dora@ACME.example ")
    assert (erased.responses, erased.texts) == (1, 1)
    (response,) = (await router.case(case.id)).responses
    assert (response.comment, response.requester_email, response.requester_name) == ("[erased]", None, None)
    assert await flaws(router) == []
    assert measure(await from_rows(router), NOON)["flagged"] == 1


async def test_g10_what_stands_for_erased_words_lets_nobody_guess_them(router: RouterBench) -> None:
    """Twice the same words leave two digests; what they were salted with goes with the words."""
    for number in range(2):
        await router.low(comment="Call me on 555-0100", record_id=f"r{number}", requester_email="dora@acme.example")
    kept = select(tables.texts).where(tables.texts.c.response_id.is_not(None))
    async with router.database.transaction() as tx:
        before = (await tx.execute(kept)).mappings().all()
        await erase_person(tx, "dora@acme.example")
        after = (await tx.execute(kept)).mappings().all()
    assert len({row["digest"] for row in before}) == 2
    assert {row["digest"] for row in after} == {row["digest"] for row in before}
    assert {(row["body"], row["salt"]) for row in after} == {(None, "")}


async def test_the_invariants_name_what_breaks_them(router: RouterBench) -> None:
    case = (await router.low()).case
    assert await broken(router) == set()
    async with router.database.transaction() as tx:
        await tx.execute(tables.deadlines.delete())
        await tx.execute(update(tables.cases).values(owner=""))
        await tx.execute(update(tables.responses).values(case_id=None))
    router.clock.advance(timedelta(minutes=6))
    found = {"flag_has_case", "case_has_owner", "waiting_is_guarded", "alert_is_sent"}
    assert await broken(router, everything=False) == found
    async with router.database.read() as connection:
        findings = await check(connection, Question(router.clock.now(), router.policy))
    assert {finding.broken_by for finding in findings if finding.name == "case_has_owner"} == {(case.id,)}


async def test_a_touched_case_without_its_question_and_a_late_sweep_are_found(router: RouterBench) -> None:
    case = (await router.low()).case
    await router.does(case.id, touch(router.clock.now()))
    assert await broken(router) == set()
    router.clock.advance(8 * DAY)
    await slack_answers(router)
    assert await broken(router) == {"deadline_fires"}
    async with router.database.transaction() as tx:
        await tx.execute(tables.deadlines.delete())
    assert await broken(router) == {"touched_is_asked"}


async def test_a_response_held_by_the_grace_is_no_breach(database_url: str) -> None:
    router = await RouterBench.create(database_url, '[flag]\ngrace = "2m"')
    await router.hears(router.answer(1))
    assert await broken(router) == set()
    await router.close()


async def test_the_patrol_comes_round_and_remembers_flaws_until_they_are_mended(router: RouterBench) -> None:
    case = (await router.low()).case
    journal = tables.journal
    async with router.database.transaction() as tx:
        await tx.execute(update(journal).values(actor="x"))
    now = router.clock.now()
    assert set(await patrol(router.database, now)) == {case.id}
    assert set(await patrol(router.database, now)) == {case.id}, "the end of a round forgets nothing"
    async with router.database.transaction() as tx:
        await tx.execute(update(journal).values(actor="system"))
    rounds = [await patrol(router.database, now) for _ in range(2)]
    assert rounds[-1] == {}


async def test_a_case_changing_between_two_looks_is_no_flaw(router: RouterBench) -> None:
    case = (await router.low()).case

    async def works() -> None:
        for number in range(10):
            await router.does(case.id, commands.AddNote(actor=ANA, note=f"Note {number}"))

    async def looks() -> list[Flaw]:
        found: list[Flaw] = []
        for _ in range(10):
            async with router.database.read() as connection:
                found += await verify_cases(connection, [case.id])
        return found

    found, _ = await asyncio.gather(looks(), works())
    assert found == []


async def test_a_round_leaves_gauges_and_a_heartbeat(router: RouterBench) -> None:
    await router.low()
    await slack_answers(router)
    audited = await audit_round(router.database, Doors(router).runtime)
    assert all(finding.holds for finding in audited.findings)
    async with router.database.read() as connection:
        beats = (await connection.execute(select(tables.heartbeats.c.name))).scalars().all()
    assert {"audit", "audit.patrol"} <= set(beats)


async def test_reading_figures_goes_by_the_index_on_when_promises_start(tmp_path: Path) -> None:
    """Nothing is O(history): a week's figures read the week's rows. (The words of a plan are SQLite's here.)"""
    router = await RouterBench.create(f"sqlite+aiosqlite:///{tmp_path}/closeloop.db")
    sent: list[tuple[str, Any]] = []

    def remember(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        sent.append((statement, parameters))

    async with router.database.read() as connection:
        event.listen(connection.sync_connection, "before_cursor_execute", remember)
        _ = [promise async for promise in read_promises(connection, ALL_TIME)]
        query, parameters = next(item for item in sent if "touch_clocks" in item[0])
        explained = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", parameters)
        plan = [row[3] for row in explained.all()]
    await router.close()
    assert any("ix_touch_clocks_started_at" in step for step in plan), plan
    assert not any(step.startswith("SCAN") for step in plan), plan
