"""Slack's part of the router: its doors, its loops (sender, Socket Mode) and its checks."""

import asyncio
from datetime import timedelta

from starlette.routing import Route

from services.router.cases import Cases
from services.router.channels.slack import SlackChannel
from services.router.covering import Covering
from services.router.delivery import duplicates
from services.router.delivery.duplicates import DuplicateSweep
from services.router.delivery.loop import Delivery
from services.router.preflight import PACE, Preflight
from services.router.slack.absences import AwayDesk
from services.router.slack.actors import Actors
from services.router.slack.clicks import Clicks
from services.router.slack.client import SlackClient
from services.router.slack.commands import Commands
from services.router.slack.endpoints import Endpoints
from services.router.slack.homes import Homes
from services.router.slack.preflight import send_test_alert, slack_problems
from services.router.slack.replies import Replies
from services.router.slack.reveals import Reveals
from services.router.slack.socket_mode import SocketMode
from shared.errors import CloseloopError
from shared.runtime import Check, Loop, Runtime

__all__ = ["SlackService", "checks", "send_test_alert", "slack_problems"]


class SlackService:
    """Doors and loops share one client; `close` ends it when both have ended."""

    def __init__(self, runtime: Runtime, cases: Cases, wake: asyncio.Event) -> None:
        if runtime.database is None:
            raise ValueError("Slack's part of the router needs a database")
        settings, clock, database = runtime.settings.slack, runtime.clock, runtime.database
        self._settings = settings
        self.client = SlackClient(settings)
        slack_users = runtime.policy.routing.slack_users
        actors = Actors(self.client, database, clock, slack_users)
        channel = SlackChannel(self.client, slack_users)
        self._replies = Replies(self.client)
        reveals = Reveals(database, cases, clock, runtime.policy, self._replies)
        public_url, privacy = runtime.settings.http.public_url, runtime.policy.privacy
        self.homes = Homes(database, clock, self.client, actors, public_url, privacy.dm, limits=settings.rate_limits)
        self.clicks = Clicks(database, cases, clock, self.client, actors, self._replies, wake, reveals, self.homes)
        covering = Covering(database, cases, runtime.policy, clock, wake.set)
        desk = AwayDesk(covering, actors, channel, clock)
        self.commands = Commands(database, clock, actors, public_url, desk, privacy.dm)
        self.delivery = Delivery(runtime, database, cases, channel, wake)
        gently = settings.rate_limits
        self.preflight = Preflight(database, channel, runtime.policy, clock, PACE if gently else timedelta(0))
        self.duplicates = DuplicateSweep(database, channel, clock, duplicates.PACE if gently else timedelta(0))
        self._endpoints = Endpoints(settings, clock, self.clicks, self.commands, self.homes)

    def routes(self) -> list[Route]:
        return self._endpoints.routes()

    def loops(self) -> list[Loop]:
        """None without a bot token: notices wait in the outbox until there is one."""
        if self._settings.bot_token is None:
            return []
        found = [
            Loop("slack sender", self.delivery.run),
            Loop("home tabs", self.homes.run),
            Loop("preflight", self.preflight.run),
            Loop("duplicate sweep", self.duplicates.run),
        ]
        if self._settings.app_token is not None:
            token = self._settings.app_token.get_secret_value()
            socket = SocketMode(token, self.client, self.clicks, self.commands, self.homes)
            found.append(Loop("slack socket mode", socket.run))
        return found

    async def close(self) -> None:
        await self._replies.close()
        await self.homes.close()
        await self.client.close()


def checks(runtime: Runtime) -> list[Check]:
    """Slack being down does not make the router unready: notices wait."""

    async def ask() -> None:
        if runtime.settings.slack.bot_token is None:
            raise CloseloopError("no Slack token is set: alerts wait in the outbox")
        client = SlackClient(runtime.settings.slack)
        try:
            wrong = await SlackChannel(client).alive()
        finally:
            await client.close()
        if wrong:
            raise CloseloopError(f"Slack does not take messages from us: {wrong}")

    return [Check("slack", ask, needed_for_ready=False)]
