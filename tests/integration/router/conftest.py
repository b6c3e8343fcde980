"""The bench of this room: a router on each database that knows one account."""

from collections.abc import AsyncIterator

import pytest

from tests.support.router import RouterBench


@pytest.fixture
async def router(database_url: str) -> AsyncIterator[RouterBench]:
    """It knows the account acme."""
    bench = await RouterBench.create(database_url)
    await bench.account()
    yield bench
    await bench.close()
