"""Who is signed in to the console: one-time codes, the signed session cookie, and a limit on wrong attempts."""

import hashlib
import hmac
import re
import secrets
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from itsdangerous import BadSignature, URLSafeSerializer
from starlette.requests import HTTPConnection
from starlette.responses import Response

from services.router.store import sign_ins
from shared.auth import AdminAuth, matches
from shared.clock import Clock
from shared.runtime import Runtime

COOKIE = "closeloop_session"
_TOLD = "closeloop_told"
CSRF_HEADER = "x-csrf-token"
_CODE_LIVES = timedelta(hours=24)
_SESSION_LIVES = timedelta(days=7)
_WRONG_ATTEMPTS = 10
_ATTEMPTS_WITHIN = timedelta(minutes=5)
_MOST_CLIENTS = 10_000
_DEFAULT_PORT = 8000
_EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,255}")


@dataclass(frozen=True, slots=True)
class Session:
    """`email` is the actor of what this person does; `csrf` must come back with every form."""

    email: str
    csrf: str
    until: datetime

    def allows(self, csrf: str) -> bool:
        return matches(csrf, self.csrf)


class Sessions:
    """Everything is signed with keys derived from the admin token: a new token ends all sessions."""

    def __init__(self, runtime: Runtime) -> None:
        self._auth = AdminAuth(runtime.settings)
        self._database = runtime.database
        self._clock = runtime.clock
        self._secure = (runtime.settings.http.public_url or "").startswith("https:")
        self._cookies = self._serializer("session")
        self._codes = self._serializer("sign-in code")
        self._told = self._serializer("told")
        self.attempts = Attempts(runtime.clock)

    def _serializer(self, purpose: str) -> URLSafeSerializer:
        key = hmac.new(self._auth.token.encode(), f"closeloop {purpose}".encode(), hashlib.sha256).digest()
        return URLSafeSerializer(key, salt=purpose, signer_kwargs={"digest_method": hashlib.sha256})

    def new_code(self) -> str:
        """Good for one sign-in within 24 hours."""
        until = self._clock.now() + _CODE_LIVES
        return str(self._codes.dumps([secrets.token_urlsafe(12), until.timestamp()]))

    async def accept_code(self, code: str) -> bool:
        """True once for each code this installation made; claims it."""
        try:
            nonce, until = self._codes.loads(code)
        except (BadSignature, ValueError, TypeError):
            return False
        now = self._clock.now()
        if until < now.timestamp() or self._database is None:
            return False
        async with self._database.transaction() as connection:
            return await sign_ins.claim(connection, nonce, now + _CODE_LIVES, now)

    def accept_token(self, token: str) -> bool:
        return matches(token.strip(), self._auth.token)

    def begin(self, response: Response, email: str) -> None:
        until = self._clock.now() + _SESSION_LIVES
        value = str(self._cookies.dumps([email, secrets.token_urlsafe(16), until.timestamp()]))
        response.set_cookie(
            COOKIE,
            value,
            max_age=int(_SESSION_LIVES.total_seconds()),
            httponly=True,
            samesite="lax",
            secure=self._secure,
        )

    def end(self, response: Response) -> None:
        response.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=self._secure)

    def tell(self, response: Response, words: str) -> None:
        """Words for the page the person sees next."""
        told = str(self._told.dumps(words))
        response.set_cookie(_TOLD, told, max_age=30, httponly=True, samesite="lax", secure=self._secure)

    def told(self, request: HTTPConnection) -> str | None:
        try:
            return str(self._told.loads(request.cookies[_TOLD])) if _TOLD in request.cookies else None
        except BadSignature:
            return None

    def forget_told(self, response: Response) -> None:
        response.delete_cookie(_TOLD, httponly=True, samesite="lax", secure=self._secure)

    def of(self, request: HTTPConnection) -> Session | None:
        """The session of a request, None when there is none or it is over."""
        try:
            email, csrf, until = self._cookies.loads(request.cookies.get(COOKIE, ""))
        except (BadSignature, ValueError, TypeError):
            return None
        ends = datetime.fromtimestamp(until, self._clock.now().tzinfo)
        return Session(email, csrf, ends) if ends > self._clock.now() else None


@dataclass
class Attempts:
    """Slows down guessing: ten wrong attempts of one client in five minutes, then it must wait."""

    clock: Clock
    _wrong: dict[str, deque[datetime]] = field(default_factory=dict)

    def exhausted(self, client: str) -> bool:
        wrong = self._wrong.get(client)
        while wrong and wrong[0] <= self.clock.now() - _ATTEMPTS_WITHIN:
            wrong.popleft()
        return wrong is not None and len(wrong) >= _WRONG_ATTEMPTS

    def failed(self, client: str) -> None:
        if len(self._wrong) >= _MOST_CLIENTS:
            self._wrong.clear()
        self._wrong.setdefault(client, deque(maxlen=_WRONG_ATTEMPTS)).append(self.clock.now())


def is_email(text: str) -> bool:
    return _EMAIL.fullmatch(text) is not None


def sign_in_url(runtime: Runtime, base: str | None = None) -> str:
    """A URL that signs one person in, once, within 24 hours. `base` is where the console is reached; without it
    `http.public_url`, else host and port of the settings."""
    http = runtime.settings.http
    base = base or http.public_url or f"http://{http.host}:{http.port or _DEFAULT_PORT}"
    return f"{base.rstrip('/')}/signin?code={Sessions(runtime).new_code()}"
