"""The one door to Slack's Web API: a shared connection pool, no retries of the SDK's own, a total time limit."""

import ipaddress
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from services.router.slack.members import Home
from shared.errors import ConfigurationError
from shared.events.envelope import encode_json
from shared.settings import SlackSettings

_CONNECTIONS = 64


class SlackClient:
    """`web` opens its session on first use, inside the running loop; `close` ends it."""

    def __init__(self, settings: SlackSettings) -> None:
        self.settings = settings
        self._session: aiohttp.ClientSession | None = None
        self._web: AsyncWebClient | None = None
        self._home: Home | None = None

    @property
    def web(self) -> AsyncWebClient:
        if self._web is None or self._session is None or self._session.closed:
            self._web = self._connect()
        return self._web

    @property
    def session(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._web = self._connect()
        assert self._session is not None
        return self._session

    async def home(self) -> Home:
        """Whose workspace the token is for; asked once. Raises what the call raises."""
        if self._home is None:
            told = data_of(await self.web.auth_test())
            self._home = Home(str(told.get("team_id") or ""), told.get("enterprise_id") or None)
        return self._home

    async def answer(self, response_url: str, text: str) -> None:
        """Tell one person something, for up to 30 minutes after their click. Raises what the connection raises."""
        web = self.web
        body = {"text": text, "response_type": "ephemeral", "replace_original": False}
        proxy = None if _is_loopback(response_url) else web.proxy
        async with self.session.post(response_url, json=body, proxy=proxy) as answer:
            await answer.read()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
        self._session, self._web = None, None

    def _connect(self) -> AsyncWebClient:
        if self.settings.bot_token is None:
            raise ConfigurationError("CLOSELOOP_SLACK__BOT_TOKEN is not set: paste the app's xoxb- token")
        limit = self.settings.timeout_seconds
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=limit),
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS),
            cookie_jar=aiohttp.DummyCookieJar(),
            json_serialize=lambda body: encode_json(body).decode(),
        )
        client = AsyncWebClient(
            token=self.settings.bot_token.get_secret_value(),
            base_url=base_url(self.settings.api_url),
            session=self._session,
            timeout=max(1, int(limit)),
            retry_handlers=[],
        )
        if _is_loopback(self.settings.api_url):
            client.proxy = None
        return client


def base_url(url: str) -> str:
    """Ends in a slash, as the SDK joins method names to it. Raises ConfigurationError for what is no web address."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ConfigurationError("CLOSELOOP_SLACK__API_URL must be a web address such as https://slack.com/api/")
    return url if url.endswith("/") else url + "/"


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def data_of(response: Any) -> dict[str, Any]:
    """The body of an answer as a plain dictionary."""
    return response.data if isinstance(response.data, dict) else {}
