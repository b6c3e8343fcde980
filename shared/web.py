"""What every HTTP surface shares: problem answers (RFC 9457), body limits, health, metrics, and the app itself."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.auth import AdminAuth
from shared.errors import TransientError, reason_of
from shared.runtime import Check, Service
from shared.settings import Settings

log = structlog.get_logger(__name__)

PROBLEM = "application/problem+json"
RETRY_AFTER_SECONDS = 15
_CHECK_PATIENCE_SECONDS = 3.0


# What the largest door takes: a batch of accounts.
BODY_LIMIT = 4 * 1024 * 1024
_WORDS = {
    404: "There is nothing at this address.",
    405: "This address does not take that method: see `Allow`.",
    413: f"The body is over {BODY_LIMIT // 1024**2} MiB.",
}


class BodyTooLarge(Exception):
    """The body is over the limit."""


def problem(status: int, detail: str, headers: dict[str, str] | None = None, **members: Any) -> JSONResponse:
    """An RFC 9457 answer; `members` are extensions such as `errors` or `dead_letter_id`."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **members}
    return JSONResponse(body, status_code=status, headers=headers, media_type=PROBLEM)


def unavailable(detail: str) -> JSONResponse:
    """503 with a Retry-After under 60 s, which Zendesk needs in order to try again."""
    return problem(503, detail, headers={"retry-after": str(RETRY_AFTER_SECONDS)})


def unauthorized(detail: str = "Send the admin token as `Authorization: Bearer ...`.") -> JSONResponse:
    return problem(401, detail, headers={"www-authenticate": "Bearer"})


def declares_over(limit: int, content_length: str) -> bool:
    """Whether a body that is still to come says that it is over `limit` bytes."""
    length = content_length.lstrip("0")
    return length.isascii() and length.isdigit() and (len(length), length) > (len(str(limit)), str(limit))


async def read_body(request: Request, limit: int) -> bytes:
    """The raw body. Raises BodyTooLarge as soon as it is known to be over `limit` bytes."""
    if declares_over(limit, request.headers.get("content-length", "")):
        raise BodyTooLarge
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise BodyTooLarge
        chunks.append(chunk)
    return b"".join(chunks)


def require_admin(auth: AdminAuth) -> Callable[[Request], Awaitable[None]]:
    """A FastAPI dependency that answers 401 without the admin token."""

    async def check(request: Request) -> None:
        if not auth.allows(request):
            raise HTTPException(
                401, "Send the admin token as `Authorization: Bearer ...`.", {"www-authenticate": "Bearer"}
            )

    return check


def create_app(settings: Settings, services: Sequence[Service], lifespan: Any = None) -> FastAPI:
    """One app of the services' routes and the doors every service has."""
    app = FastAPI(title="Closeloop", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    auth = AdminAuth(settings)
    checks = [check for service in services for check in service.checks]
    app.router.routes += [
        *_common_routes(app, auth, checks),
        *(route for service in services for route in service.routes),
    ]
    app.add_middleware(LimitBodies)
    app.add_exception_handler(StarletteHTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(TransientError, _on_transient)
    app.add_exception_handler(Exception, _on_bug)
    return app


class LimitBodies:
    """Answers 413 to a body over BODY_LIMIT: frameworks read a body whole before a door asks who sent it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        if declares_over(BODY_LIMIT, Headers(scope=scope).get("content-length", "")):
            return await problem(413, _WORDS[413])(scope, receive, send)
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > BODY_LIMIT:
                raise HTTPException(413, _WORDS[413])
            return message

        await self._app(scope, counted, send)


class Lanes:
    """Serves the services' lanes, and everything else by the app."""

    def __init__(self, app: ASGIApp, services: Sequence[Service]) -> None:
        self._app = app
        self._lanes = [lane for service in services for lane in service.lanes.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        for prefix, lane in self._lanes:
            if scope["type"] == "http" and path.startswith(prefix):
                scope["lane"] = path[len(prefix) :]
                return await self._drive(lane, scope, receive, send)
        await self._app(scope, receive, send)

    async def _drive(self, lane: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await lane(scope, receive, send)
        except Exception as error:
            await _on_bug(Request(scope), error)(scope, receive, send)


def _common_routes(app: FastAPI, auth: AdminAuth, checks: Sequence[Check]) -> list[Route]:
    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        failures = await failing([check for check in checks if check.needed_for_ready])
        return JSONResponse(
            {"status": "unready" if failures else "ready", "failures": failures}, status_code=503 if failures else 200
        )

    async def metrics(request: Request) -> Response:
        if not auth.allows(request):
            return unauthorized()
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    async def openapi(request: Request) -> Response:
        return JSONResponse(app.openapi()) if auth.allows(request) else unauthorized()

    doors = (("/healthz", healthz), ("/readyz", readyz), ("/metrics", metrics), ("/openapi.json", openapi))
    return [Route(path, answer, methods=["GET"]) for path, answer in doors]


async def failing(checks: Sequence[Check]) -> dict[str, str]:
    """The checks that do not hold, by name, each with what is wrong."""

    async def ask(check: Check) -> str | None:
        try:
            await asyncio.wait_for(check.ask(), _CHECK_PATIENCE_SECONDS)
        except TimeoutError:
            return f"no answer within {_CHECK_PATIENCE_SECONDS:g} s"
        except Exception as error:
            return reason_of(error)
        return None

    answers = await asyncio.gather(*(ask(check) for check in checks))
    return {check.name: answer for check, answer in zip(checks, answers, strict=True) if answer is not None}


async def _on_http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    said = error.detail != HTTPStatus(error.status_code).phrase
    detail = error.detail if said else _WORDS.get(error.status_code, error.detail)
    return problem(error.status_code, str(detail), headers=dict(error.headers or {}))


async def _on_invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [{"at": ".".join(map(str, item["loc"])), "problem": _problem(item)} for item in error.errors()]
    first = f"{errors[0]['at']}: {errors[0]['problem']}" if errors else ""
    return problem(422, f"The request does not have the documented form. {first}".rstrip(), errors=errors)


def _problem(item: Any) -> str:
    # What curl sends when nobody tells it otherwise is a form, and "not a valid dictionary" helps nobody.
    if item.get("type") == "model_attributes_type" and isinstance(item.get("input"), bytes):
        return "Send JSON, with `content-type: application/json`"
    return str(item["msg"])


async def _on_transient(_: Request, error: Exception) -> Response:
    return unavailable(str(error))


def _on_bug(request: Request, error: Exception) -> Response:
    log.error("request_failed", path=request.url.path, method=request.method, error=type(error).__name__)
    return problem(500, "An unexpected error; it was logged with the request's path.")
