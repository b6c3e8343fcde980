"""A router that talks to the Slack sandbox over real HTTP, both under a clock that turns forward."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

from pydantic import SecretStr
from starlette.applications import Starlette

from services.router.slack.service import SlackService
from services.slack_sandbox.app import SandboxChannel, SandboxConfig, SandboxUser, Workspace, create_app
from shared.runtime import Runtime
from shared.settings import HttpSettings, Settings, SlackSettings
from tests.support.router import RouterBench
from tests.support.slack_sandbox import serving

ANA, LEA, MAX, OPS = (f"{name}@us.example" for name in ("ana", "lea", "max", "cx-ops"))
PEOPLE = (ANA, LEA, MAX, OPS)
CHANNEL = "C0TEAM"
POLICY = '[routing]\nsupport_lead = "lea@us.example"\nfallback_owner = "cx-ops@us.example"\n'
SECRET = "signing-secret-of-these-tests"


class SlackBench(RouterBench):
    """`sandbox` is Slack, `slack` the router's side of it; `await bench.sending()` runs the sender beside a test."""

    sandbox: Workspace
    slack: SlackService
    runtime: Runtime
    news: asyncio.Event
    _others: list[asyncio.Event]
    app_url: str

    def _wake(self) -> None:
        super()._wake()
        for news in (self.news, *self._others):
            news.set()

    def service(self, **slack: Any) -> SlackService:
        """One more router on the same rows and the same Slack."""
        settings = self.runtime.settings.slack.model_copy(update=slack)
        runtime = Runtime(
            self.runtime.settings.model_copy(update={"slack": settings}), self.policy, self.clock, self.runtime.bus,
            self.database,
        )  # fmt: skip
        news = asyncio.Event()
        self._others.append(news)
        return SlackService(runtime, self.cases, news)

    @asynccontextmanager
    async def sending(self, service: SlackService | None = None) -> AsyncIterator[SlackService]:
        """The sender runs while the block does, and ends in order."""
        chosen = service or self.slack
        stop = asyncio.Event()
        running = asyncio.create_task(chosen.delivery.run(stop))
        try:
            yield chosen
        finally:
            stop.set()
            self._wake()
            await running
            await chosen.close()

    @asynccontextmanager
    async def crashing(self, service: SlackService) -> AsyncIterator[asyncio.Task[None]]:
        """A sender that is killed when the block ends: nothing more is written, no lease let go."""
        running = asyncio.create_task(service.delivery.run(asyncio.Event()))
        yield running
        service.delivery._finish = _nothing  # type: ignore[method-assign]
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await service.close()

    async def until(self, probe: Callable[[], Any], within: float = 30.0) -> Any:
        """The first true answer of `probe`, a coroutine function or a plain one; time stands still meanwhile."""
        deadline = asyncio.get_running_loop().time() + within
        while True:
            asked = probe()
            found = await asked if isinstance(asked, Awaitable) else asked
            if found:
                return found
            assert asyncio.get_running_loop().time() < deadline, "not so in time"
            # What asks the database would keep the sender from it.
            await asyncio.sleep(0.02 if isinstance(asked, Awaitable) else 0.005)

    async def turns(self, span: timedelta, step: timedelta = timedelta(milliseconds=250)) -> None:
        """Time goes by in steps, each long enough in real time for the sender to act on it."""
        until = self.clock.now() + span
        while self.clock.now() < until:
            await self.passes(min(step, until - self.clock.now()))
            await self.idle()

    async def idle(self) -> None:
        """Return when the sender has nothing under way and nothing to write."""
        await self.until(lambda: self.slack.delivery.at_rest)

    async def sent(self, count: int = 1) -> None:
        """Return when that many notices are on display according to the rows."""

        async def enough() -> bool:
            return sum(1 for row in await self.notices() if row["state"] == "sent") >= count

        await self.until(enough)

    async def states(self) -> list[str]:
        return [row["state"] for row in await self.notices()]

    def inbox(self, email: str) -> list[dict[str, Any]]:
        """What stands in this person's DM."""
        return [message for message in self.sandbox.messages(email=email) if not message["ephemeral_to"]]

    def whispers(self, email: str) -> list[str]:
        """What the app told only this person."""
        return [message["text"] for message in self.sandbox.messages(email=email) if message["ephemeral_to"]]

    def copies(self) -> dict[str, int]:
        """How often each notice is on display."""
        counts: dict[str, int] = {}
        for message in self.sandbox.messages():
            if message["metadata"]:
                notice = message["metadata"]["event_payload"]["d"]
                counts[notice] = counts.get(notice, 0) + 1
        return counts

    async def clicks(self, email: str, action: str, message: dict[str, Any] | None = None, **more: Any) -> Any:
        chosen = message or self.inbox(email)[0]
        return await self.sandbox.click(action, email, channel=chosen["channel"], ts=chosen["ts"], **more)

    async def submits(self, email: str, **values: Any) -> Any:
        view = self.sandbox.open_view(email)
        assert view is not None, f"{email} has no modal open"
        return await self.sandbox.submit(view["id"], email, values)


async def _nothing() -> None:
    return None


@asynccontextmanager
async def slack_bench(url: str, policy: str = POLICY, **slack: Any) -> AsyncIterator[SlackBench]:
    """The bench, its sandbox and its doors, all listening on loopback."""
    bench = await SlackBench.create(url, policy)
    assert isinstance(bench, SlackBench)
    bench.news, bench._others = asyncio.Event(), []
    config = SandboxConfig(
        users=[SandboxUser(id=f"U0{email.split('@')[0].upper().replace('-', '')}", email=email) for email in PEOPLE],
        channels=[SandboxChannel(id=CHANNEL, name="team")],
        signing_secret=SECRET,
        clock=lambda: bench.clock.now().timestamp(),
        rate_limits=False,
    )
    app = create_app(config)
    bench.sandbox = app.state.workspace
    async with serving(app) as sandbox_url:
        options = {
            "bot_token": SecretStr(config.bot_token),
            "signing_secret": SecretStr(SECRET),
            "timeout_seconds": 2.0,
        }
        settings = Settings(
            _env_file=None,
            slack=SlackSettings(**{**options, "api_url": f"{sandbox_url}/api/", "rate_limits": False, **slack}),
            http=HttpSettings(public_url="http://closeloop.test"),
        )
        bus: Any = None
        bench.runtime = Runtime(settings, bench.policy, bench.clock, bus, bench.database)
        bench.slack = SlackService(bench.runtime, bench.cases, bench.news)
        async with serving(Starlette(routes=bench.slack.routes())) as bench.app_url:
            for door in ("interactivity", "commands", "events", "options"):
                path = "interactions" if door == "interactivity" else door
                setattr(config, f"{door}_url", f"{bench.app_url}/slack/{path}")
            yield bench
    await bench.sandbox.close()
    await bench.slack.close()
    await bench.close()
