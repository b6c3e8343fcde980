"""What every page shares: templates, the headers that keep a page safe, and who may see it."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.router.api import cursors
from services.router.console import wording
from services.router.sessions import Session, Sessions
from shared.clock import Clock
from shared.errors import TransientError
from shared.web import RETRY_AFTER_SECONDS

_HERE = Path(__file__).parent
STATIC = _HERE / "static"
SECURITY = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'none'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}

Decoded = TypeVar("Decoded")
Handler = Callable[[Request, Session], Awaitable[Response]]


class Pages:
    """Renders templates; `signed_in` wraps the pages that need a person, `open` those that do not."""

    def __init__(self, sessions: Sessions, clock: Clock) -> None:
        self.sessions = sessions
        self.clock = clock
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals["words"] = wording

    def render(
        self, template: str, session: Session | None, request: Request, status: int = 200, **values: Any
    ) -> Response:
        told = self.sessions.told(request) if session else None
        html = self._templates.get_template(template).render(
            session=session, now=self.clock.now(), path=request.url.path, told=told, **values
        )
        response = HTMLResponse(html, status, SECURITY)
        if told:
            self.sessions.forget_told(response)
        return response

    def signed_in(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def page(request: Request) -> Response:
            session = self.sessions.of(request)
            if session is None:
                return to_sign_in(request)
            try:
                return await handler(request, session)
            except TransientError:
                return self._unavailable(session, request)

        return page

    def open(self, handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def page(request: Request) -> Response:
            try:
                return await handler(request)
            except TransientError:
                return self._unavailable(None, request)

        return page

    def _unavailable(self, session: Session | None, request: Request) -> Response:
        response = self.render("unavailable.html", session, request, 503, sent=request.method == "POST")
        response.headers["retry-after"] = str(RETRY_AFTER_SECONDS)
        return response

    def missing(self, session: Session, request: Request, words: str) -> Response:
        return self.render("missing.html", session, request, 404, missing=words)

    def refused(self, session: Session, request: Request) -> Response:
        """A form without its CSRF token: another site, or a page older than the session."""
        return self.render("stale.html", session, request, 403)


def to_sign_in(request: Request) -> Response:
    """Leads back afterwards; from a form that was sent too late to its page, where the script keeps what was typed."""
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.method == "POST":
        segments = request.url.path.split("/")
        here = "/".join(segments[: 3 if "case_id" in request.path_params else 2])
    onward = {"next": here if here != "/" else None, "unsent": "true" if request.method == "POST" else None}
    return RedirectResponse(with_query("/signin", **onward), 303, SECURITY)


def own_path(path: str) -> str:
    """The path when it stays in this console, else `/`: a sign-in never leads to another site."""
    safe = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if safe else "/"


def cursor_of(request: Request, decode: Callable[[str], Decoded]) -> Decoded | None:
    """Where the page before ended; the first page when there was none, or it cannot be read."""
    try:
        return decode(request.query_params.get("cursor", ""))
    except cursors.BadCursor:
        return None


def with_query(path: str, **values: str | None) -> str:
    kept = {name: value for name, value in values.items() if value}
    return f"{path}?{urlencode(kept)}" if kept else path
