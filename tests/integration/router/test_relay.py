"""journal -> cases.changed: every entry once and in order, by one router at a time, with its hash and no free text."""

import json
from datetime import timedelta
from typing import Any

import pytest

from services.router.domain import commands
from services.router.relay import Relay
from shared.errors import BusUnavailable
from shared.events.envelope import Record
from tests.support.domain import ANA, touch
from tests.support.router import NOON, RouterBench


class Log:
    """Keeps what is published; while it is `silent` nobody learns that it did."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.silent = False

    async def publish(self, records: list[Record]) -> None:
        self.records += records
        if self.silent:
            raise BusUnavailable("the log does not answer")

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(record.value or b"") for record in self.records]


def relay(router: RouterBench, log: Log) -> Relay:
    return Relay(router.database, log, router.clock)  # type: ignore[arg-type]


async def test_every_entry_goes_out_once_in_order_with_its_hash_and_without_what_people_wrote(
    router: RouterBench,
) -> None:
    case_id = (await router.low(2, comment="The export fails")).case.id
    await router.does(case_id, touch(NOON, acknowledgement="That is on us."))
    log = Log()
    mine = relay(router, log)
    assert await mine.relay() == 2
    assert await mine.relay() == 0
    journal = await router.journal(case_id)
    assert [(told["case_id"], told["seq"], told["change"], told["hash"]) for told in log.told] == [
        (case_id, entry.seq, entry.type, entry.hash) for entry in journal
    ]
    assert [record.key for record in log.records] == [case_id.encode()] * 2
    assert not [words for words in ("export", "on us") if words in str(log.records)]


async def test_g1_what_the_log_may_not_have_goes_out_again_as_the_same_event(router: RouterBench) -> None:
    await router.low(2)
    log = Log()
    mine = relay(router, log)
    log.silent = True
    with pytest.raises(BusUnavailable):
        await mine.relay()
    log.silent = False
    assert await mine.relay() == 1
    first, again = (dict(record.headers) for record in log.records)
    assert first["ce_id"] == again["ce_id"]


async def test_one_router_relays_at_a_time_and_another_takes_over_when_it_is_gone(router: RouterBench) -> None:
    case_id = (await router.low(2)).case.id
    log = Log()
    first, second = relay(router, log), relay(router, log)
    assert await first.relay() == 1
    await router.does(case_id, commands.AddNote(actor=ANA, note="Nobody picked up"))
    assert await second.relay() == 0, "two at once could turn the entries of a case round"
    router.clock.advance(timedelta(seconds=15))
    assert await second.relay() == 1
    assert [told["seq"] for told in log.told] == [1, 2]
