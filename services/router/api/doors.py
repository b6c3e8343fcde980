"""Who may use the API: the admin token, or a person signed in to the console."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPBearer

from services.router.sessions import CSRF_HEADER, Sessions
from shared.auth import AdminAuth
from shared.runtime import Runtime

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_DOCUMENTED = HTTPBearer(auto_error=False, description="The admin token.", scheme_name="adminToken")
_ASK = "Send the admin token as `Authorization: Bearer ...`."


@dataclass(frozen=True, slots=True)
class Caller:
    """`email` is the person signed in; None for a program with the admin token, which must name an `actor`."""

    email: str | None = None


def caller_of(runtime: Runtime, sessions: Sessions) -> Callable[..., Awaitable[Caller]]:
    """A FastAPI dependency. A browser's cookie alone may read; to write, its CSRF token must come in a header."""
    auth = AdminAuth(runtime.settings)

    async def caller(request: Request, _: object = Depends(_DOCUMENTED)) -> Caller:
        if auth.allows(request):
            return Caller()
        session = sessions.of(request)
        if session is None:
            raise HTTPException(401, _ASK, {"www-authenticate": "Bearer"})
        if request.method not in _READING and not session.allows(request.headers.get(CSRF_HEADER, "")):
            raise HTTPException(403, f"Send the session's token in `{CSRF_HEADER}`.")
        return Caller(session.email)

    return caller
