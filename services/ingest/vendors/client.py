"""Calls a vendor's API by httpx: at its pace, with a time limit, and obeying Retry-After."""

import base64
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from services.ingest.vendors.base import Gone, Page, RateLimited, Refused, Vendor, VendorUnavailable
from shared.clock import Clock
from shared.errors import PoisonError
from shared.settings import PREFIX

TIMEOUT_SECONDS = 10.0
_DEFAULT_RETRY_AFTER = 30.0
_LONGEST_RETRY_AFTER = 3600.0
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def token_setting(name: str) -> str:
    """The environment variable that holds a source's API credentials."""
    return f"{PREFIX}SOURCES__{name.upper()}__API_TOKEN"


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def basic(token: str) -> dict[str, str]:
    """`user:password` as it is."""
    return {"authorization": f"Basic {base64.b64encode(token.encode()).decode()}"}


@dataclass
class Gate:
    """The pace of one vendor, shared by all who call it: calls are spaced, and nobody calls before Retry-After."""

    clock: Clock
    spacing: timedelta
    free_at: datetime = _LONG_AGO
    blocked_until: datetime = _LONG_AGO

    async def enter(self, patience: timedelta, name: str) -> None:
        """Return when it is our turn. Raises RateLimited when the vendor has asked for more than our patience."""
        while True:
            left = self.blocked_until - self.clock.now()
            if left > patience:
                raise RateLimited(f"{name} limits our rate for {left.total_seconds():.0f} s", left.total_seconds())
            await self.clock.sleep(left)
            turn = max(self.free_at, self.clock.now())
            self.free_at = turn + self.spacing
            await self.clock.sleep(turn - self.clock.now())
            if self.blocked_until <= self.clock.now():
                return

    def block(self, seconds: float) -> None:
        self.blocked_until = max(self.blocked_until, self.clock.now() + timedelta(seconds=seconds))


class Client:
    """`patience` is how long a call waits inside for a Retry-After to pass; a call that is limited then is made
    again. Anything else that fails is raised for the caller to try again. `most_calls` ends a listing that pages
    without end."""

    def __init__(
        self,
        vendor: Vendor,
        base_url: str,
        token: str,
        gate: Gate,
        patience: timedelta = timedelta(0),
        most_calls: int | None = None,
    ) -> None:
        self.kept: dict[str, Any] = {}
        self._calls_left = most_calls
        self._vendor = vendor
        self._base_url = base_url.rstrip("/")
        self._token = token
        self._gate = gate
        self._patience = patience
        self._headers: Mapping[str, str] | None = None if vendor.sign_in else vendor.authorize(token)
        # A proxy of the environment is for the vendors; nobody needs one to reach this machine.
        self._http = httpx.AsyncClient(
            timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=not _is_loopback(base_url)
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        return (await self.page(path, params)).body

    async def post(self, path: str, body: Any, *, form: bool = False) -> Any:
        return self._json(await self._send("POST", path, **_content(body, form=form)))

    async def page(self, path: str, params: Mapping[str, Any] | None = None) -> Page:
        # An empty `params` would take the query of a link away.
        answer = await self._send("GET", path, params=params or None)
        return Page(self._json(answer), answer.links.get("next", {}).get("url"))

    async def _send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        answer = await self._call(method, path, await self._authorized(), **arguments)
        if answer.status_code == 401 and self._vendor.sign_in is not None:
            self._headers = None
            answer = await self._call(method, path, await self._authorized(), **arguments)
        return self._judged(answer)

    async def _authorized(self) -> Mapping[str, str]:
        if self._headers is None and self._vendor.sign_in is not None:
            self._headers = await self._vendor.sign_in(self._post_without_headers, self._token)
        return self._headers or {}

    async def _post_without_headers(self, path: str, body: Any, *, form: bool = False) -> Any:
        return self._json(self._judged(await self._call("POST", path, {}, **_content(body, form=form))))

    async def _call(self, method: str, path: str, headers: Mapping[str, str], **arguments: Any) -> httpx.Response:
        """One call; made again while the vendor limits our rate and our patience lasts."""
        url = self._url(path)
        while True:
            self._spend()
            await self._gate.enter(self._patience, self._vendor.name)
            try:
                answer = await self._http.request(
                    method, url, headers={"accept": "application/json", **headers}, **arguments
                )
            except httpx.HTTPError as error:
                raise VendorUnavailable(f"{self._vendor.name} does not answer ({type(error).__name__})") from error
            if answer.status_code not in (429, 503) or (
                answer.status_code == 503 and "retry-after" not in answer.headers
            ):
                return answer
            seconds = retry_after(answer.headers.get("retry-after"), self._gate.clock.now())
            self._gate.block(seconds)
            if timedelta(seconds=seconds) > self._patience:
                raise RateLimited(f"{self._vendor.name} limits our rate for {seconds:.0f} s", seconds)

    def _spend(self) -> None:
        if self._calls_left is not None:
            self._calls_left -= 1
            if self._calls_left < 0:
                raise VendorUnavailable(f"{self._vendor.name} pages without end")

    def _url(self, path: str) -> str:
        """Raises Refused for a link that leads elsewhere: our credentials go to nobody else."""
        if path.startswith("/"):
            return self._base_url + path
        ours, theirs = urlsplit(self._base_url), urlsplit(path)
        if (ours.scheme, ours.netloc) != (theirs.scheme, theirs.netloc):
            raise Refused(f"{self._vendor.name} links to another host, {theirs.netloc[:100]}: check api_url")
        return path

    def _judged(self, answer: httpx.Response) -> httpx.Response:
        name, status = self._vendor.name, answer.status_code
        if status < 300:
            return answer
        if status in (401, 403):
            raise Refused(
                f"{name} refuses our API credentials ({status}): set {token_setting(name)} to credentials that may"
                " read survey responses and tickets"
            )
        if status in (404, 410):
            raise Gone(f"{name} has no such thing any more ({status})")
        if status >= 500 or status == 408:
            raise VendorUnavailable(f"{name} answers {status}")
        if status < 400:
            raise Refused(f"{name} answers with a redirect: check api_url of [sources.{name}]")
        raise PoisonError(f"{name} answers {status} to what we ask")

    def _json(self, answer: httpx.Response) -> Any:
        try:
            return answer.json()
        except ValueError as wrong:
            raise VendorUnavailable(f"{self._vendor.name} answers something that is not JSON") from wrong


def _content(body: Any, *, form: bool) -> dict[str, Any]:
    return {"data": body} if form else {"json": body}


def retry_after(value: str | None, now: datetime) -> float:
    """Seconds, from a number or an HTTP date; 30 where the vendor says nothing we understand, an hour at most."""
    text = (value or "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            at = parsedate_to_datetime(text)
        except (ValueError, TypeError):
            return _DEFAULT_RETRY_AFTER
        seconds = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
    if not seconds >= 0:  # also for NaN
        return 0.0
    return min(seconds, _LONGEST_RETRY_AFTER)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
