"""The sandbox as an ASGI app: the Web API, the automation doors, response_urls and the page; mountable anywhere."""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from services.slack_sandbox import doors, page
from services.slack_sandbox.config import SandboxChannel, SandboxConfig, SandboxUser
from services.slack_sandbox.errors import SlackError
from services.slack_sandbox.state import Workspace
from services.slack_sandbox.web_api.endpoint import UNAVAILABLE, quiet_drops, web_api

__all__ = ["SandboxChannel", "SandboxConfig", "SandboxUser", "Workspace", "create_app"]


class LearnAddress:
    """Takes the sandbox's own base address from the first request when none was configured."""

    def __init__(self, app: ASGIApp, config: SandboxConfig) -> None:
        self.app = app
        self.config = config

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self.config.public_url:
            host = Request(scope).headers.get("host", "127.0.0.1")
            self.config.public_url = f"{scope.get('scheme', 'http')}://{host}{scope.get('root_path', '')}"
        await self.app(scope, receive, send)


async def response_url(request: Request) -> Response:
    """A post to a response_url."""
    workspace: Workspace = request.app.state.workspace
    if workspace.faults.outage:
        return HTMLResponse(UNAVAILABLE, 503)
    try:
        body = json.loads(await request.body())
        workspace.responses.use(request.path_params["secret"], body if isinstance(body, dict) else {})
    except ValueError:
        return JSONResponse({"ok": False, "error": "invalid_payload"}, 400)
    except SlackError as error:
        gone = error.code in ("used_url", "expired_url")
        return JSONResponse(error.body(), 404 if gone else 400)
    return Response("ok")


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    yield
    await app.state.workspace.close()


def create_app(config: SandboxConfig | None = None, workspace: Workspace | None = None) -> Starlette:
    """The sandbox app; its state is `app.state.workspace`.

    Mounted inside another app its lifespan does not run: await `app.state.workspace.close()` at the end.
    """
    state = workspace or Workspace(config)
    routes = [
        Route("/api/{method}", web_api, methods=["GET", "POST"]),
        Route("/response/{team}/{secret}", response_url, methods=["POST"]),
        *doors.ROUTES,
        *page.ROUTES,
    ]
    app = Starlette(routes=routes, middleware=[Middleware(LearnAddress, config=state.config)], lifespan=_lifespan)
    app.state.workspace = state
    logging.getLogger("uvicorn.error").addFilter(quiet_drops)
    return app
