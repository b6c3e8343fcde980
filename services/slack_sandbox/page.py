"""The page for people: what one person sees of the workspace, server-rendered and refreshed in parts."""

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from services.slack_sandbox.config import SandboxChannel, SandboxUser
from services.slack_sandbox.elements import VALUE_KEYS, options_of
from services.slack_sandbox.errors import SlackError
from services.slack_sandbox.faults import FaultKind
from services.slack_sandbox.messages import Message
from services.slack_sandbox.mrkdwn import Reader, mrkdwn, plain
from services.slack_sandbox.state import Workspace
from services.slack_sandbox.views import View
from services.slack_sandbox.web_api.endpoint import METHODS

HERE = Path(__file__).parent
SHOWN_MESSAGES = 60
SHOWN_CALLS = 25
SHOWN_NOTICES = 3
PARTS = ("sidebar", "main", "modal", "backstage")
SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
TEMPLATES = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True)
TEMPLATES.trim_blocks = TEMPLATES.lstrip_blocks = True


class Scene:
    """Everything the templates ask for, for one person looking at one conversation or at the Home tab."""

    def __init__(self, workspace: Workspace, user: str, channel: str, tab: str) -> None:
        self.workspace = workspace
        self.config = workspace.config
        self.me = self._me(user)
        self.channels = sorted(workspace.directory.conversations_of(self.me.id), key=lambda c: (c.is_im, c.name))
        self.dm = workspace.directory.open_dm([self.me.id])[0]
        self.channel = next((c for c in self.channels if c.id == channel), self.dm)
        self.tab = "home" if tab == "home" else "messages"
        self.fault_kinds = [str(kind) for kind in FaultKind]
        self.methods = sorted(METHODS)
        self.reader = Reader(self.me.tz, self.user_name, self.channel_name)

    def _me(self, user: str) -> SandboxUser:
        people = self.people
        if not people:
            raise SlackError("user_not_found", ["This workspace has no people: POST one to _sandbox/users."])
        return next((person for person in people if person.id == user), people[0])

    @property
    def people(self) -> list[SandboxUser]:
        return [person for person in self.workspace.directory.people() if not person.deleted]

    @property
    def roots(self) -> list[Message]:
        return self.workspace.log.roots(self.channel.id, self.me.id)[-SHOWN_MESSAGES:]

    def replies(self, message: Message) -> list[Message]:
        return self.workspace.log.replies(message.channel, message.ts, self.me.id)

    @property
    def modal(self) -> View | None:
        return self.workspace.views.top(self.me.id)

    @property
    def home(self) -> View | None:
        return self.workspace.views.home(self.me.id)

    @property
    def notices(self) -> list[dict[str, Any]]:
        return self.workspace.interactions.notices.get(self.me.id, [])[-SHOWN_NOTICES:]

    @property
    def calls(self) -> list[dict[str, Any]]:
        return list(self.workspace.calls)[-SHOWN_CALLS:][::-1]

    @property
    def callbacks(self) -> list[dict[str, Any]]:
        return list(self.workspace.delivery.sent)[-SHOWN_CALLS:][::-1]

    # words

    def user_name(self, user_id: str) -> str:
        user = self.workspace.directory.users.get(user_id)
        return user.name if user else user_id

    def channel_name(self, channel_id: str) -> str:
        channel = self.workspace.directory.channels.get(channel_id)
        return self.title(channel) if channel else channel_id

    def title(self, channel: SandboxChannel) -> str:
        if channel.is_im:
            return self.config.bot_name
        if channel.is_mpim:
            return ", ".join(self.user_name(member) for member in channel.members)
        return channel.name

    def t(self, text: dict[str, Any]) -> Markup:
        """A text object as HTML."""
        return mrkdwn(text["text"], self.reader) if text["type"] == "mrkdwn" else plain(text["text"])

    def mrkdwn(self, text: str) -> Markup:
        return mrkdwn(text, self.reader)

    def time(self, seconds: float | str) -> str:
        return datetime.fromtimestamp(float(seconds), ZoneInfo(self.me.tz)).strftime("%-d %b %H:%M:%S")

    def choices(self, element: dict[str, Any]) -> list[tuple[str, str]]:
        """(value, label) of what an element offers, people and channels included."""
        kind = element["type"]
        if kind in ("users_select", "multi_users_select"):
            return [(user.id, user.name) for user in self.people]
        if kind in ("conversations_select", "channels_select"):
            return [(channel.id, self.title(channel)) for channel in self.channels]
        chosen = element.get("initial_option")
        offered = options_of(element) or ([chosen] if chosen else [])
        return [(option["value"], str(plain(option["text"]["text"]).striptags())) for option in offered]

    def entered(self, view: View | None, block: dict[str, Any], element: dict[str, Any]) -> Any:
        """What stands in a field: what its user entered before an error, else its initial value."""
        given = view.entered.get(block["block_id"]) if view else None
        if isinstance(given, dict) and "value" not in given:
            given = given.get(element["action_id"])
        if given is None:
            given = element.get(VALUE_KEYS[element["type"]][1])
        if isinstance(given, list):
            return [item["value"] if isinstance(item, dict) else item for item in given]
        return given["value"] if isinstance(given, dict) else "" if given is None else given


def _scene(request: Request) -> Scene:
    query = request.query_params
    workspace: Workspace = request.app.state.workspace
    return Scene(workspace, query.get("user", ""), query.get("channel", ""), query.get("tab", ""))


def _parts(scene: Scene) -> dict[str, str]:
    return {part: TEMPLATES.get_template(f"{part}.html").render(s=scene) for part in PARTS}


async def page(request: Request) -> Response:
    """The whole page."""
    try:
        scene = _scene(request)
    except SlackError as nobody:
        return HTMLResponse(f"<p>{nobody.messages[0]}</p>", 404, headers=SECURITY)
    parts = {part: Markup(html) for part, html in _parts(scene).items()}  # noqa: S704 - autoescaped templates
    return HTMLResponse(TEMPLATES.get_template("page.html").render(s=scene, **parts), headers=SECURITY)


async def parts(request: Request) -> Response:
    """The parts of the page as JSON, for its once-a-second refresh."""
    try:
        return JSONResponse(_parts(_scene(request)), headers=SECURITY)
    except SlackError as error:
        return JSONResponse(error.body(), 400)


ROUTES = [
    Route("/", page, methods=["GET"]),
    Route("/parts", parts, methods=["GET"]),
    Mount("/static", app=StaticFiles(directory=HERE / "static")),
]
