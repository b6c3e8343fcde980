"""The bench every test of this room uses: an account, its people, and Slack."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.slack_bench import SlackBench, slack_bench


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[SlackBench]:
    async with slack_bench(f"sqlite+aiosqlite:///{tmp_path}/closeloop.db") as made:
        await made.account()
        yield made
