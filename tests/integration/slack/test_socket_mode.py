"""Behind a firewall: clicks, modals, /loops and Home over a connection the router opens itself."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from services.router.domain.case import Status
from tests.support.slack_bench import ANA, SlackBench


@pytest.fixture
async def connected(bench: SlackBench) -> AsyncIterator[SlackBench]:
    """No address for callbacks is set: everything must come through the socket."""
    config = bench.sandbox.config
    config.interactivity_url = config.commands_url = config.events_url = ""
    service = bench.service(app_token=SecretStr(config.app_token))
    socket_mode = next(loop for loop in service.loops() if loop.name == "slack socket mode")
    stop = asyncio.Event()
    running = asyncio.create_task(socket_mode.run(stop))
    await bench.until(lambda: bench.sandbox.sockets.connected)
    yield bench
    stop.set()
    await running
    await service.close()


async def test_everything_works_over_the_socket(connected: SlackBench) -> None:
    bench = connected
    async with bench.sending():
        view = await bench.low(2)
        await bench.sent(2)
        assert (await bench.clicks(ANA, "case.acknowledge"))["ok"]
        assert (await bench.case(view.case.id)).case.status is Status.ACKNOWLEDGED
        menu = next(block["accessory"] for block in bench.inbox(ANA)[0]["blocks"] if "accessory" in block)
        await bench.clicks(ANA, "case.dismiss", value=menu["options"][0]["value"])
        refused = await bench.submits(ANA, reason="  ")
        assert not refused["ok"]
        assert (await bench.submits(ANA, reason="A robot"))["ok"]
        assert (await bench.case(view.case.id)).case.status is Status.DISMISSED
        assert "none" in (await bench.sandbox.command("/loops", ANA))["answer"]["text"]
        assert (await bench.sandbox.home(ANA))["ok"]
        await bench.until(lambda: bench.sandbox.home_view(ANA))
