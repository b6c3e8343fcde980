"""A sender that is told to end while the database is away ends at once, and what waits is sent by the next one."""

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared.errors import DatabaseUnavailable
from tests.support.slack_bench import SlackBench


async def test_a_sender_ends_at_once_while_the_database_is_away(
    bench: SlackBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(**_: Any) -> AbstractAsyncContextManager[Any]:
        raise DatabaseUnavailable("the database does not answer")

    await bench.low(2)
    with monkeypatch.context() as broken, capture_logs() as told:
        broken.setattr(bench.database, "transaction", away)
        async with asyncio.timeout(10), bench.sending(bench.service()):
            await bench.until(lambda: "delivery_waits" in [line["event"] for line in told])
    async with bench.sending():
        await bench.sent(2)
    assert set(bench.copies().values()) == {1}
