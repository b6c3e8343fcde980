"""What a sandbox workspace is set up with: tokens, people, channels, and where the app under test listens."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import httpx

BOT_SCOPES = (
    "chat:write",
    "chat:write.public",
    "im:write",
    "mpim:write",
    "im:history",
    "mpim:history",
    "channels:history",
    "groups:history",
    "channels:read",
    "groups:read",
    "im:read",
    "mpim:read",
    "channels:join",
    "users:read",
    "users:read.email",
    "users.profile:read",
    "dnd:read",
    "team:read",
    "commands",
)


@dataclass
class SandboxUser:
    """A person (or bot) of the workspace; an empty `id` is filled in when the user is added."""

    id: str = ""
    name: str = ""
    email: str = ""
    tz: str = "Europe/London"
    deleted: bool = False
    is_bot: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    presence: str = "active"
    status_text: str = ""
    status_emoji: str = ""
    status_expiration: int = 0
    dnd_start_ts: int = 0
    dnd_end_ts: int = 0
    team_id: str = ""  # of another company, met in a shared channel; empty: of this workspace


@dataclass
class SandboxChannel:
    """A conversation; `members` are user ids, and the bot takes part when `bot_is_member`."""

    id: str = ""
    name: str = ""
    is_private: bool = False
    is_archived: bool = False
    is_ext_shared: bool = False
    is_org_shared: bool = False
    is_pending_ext_shared: bool = False
    bot_is_member: bool = True
    is_im: bool = False
    is_mpim: bool = False
    members: list[str] = field(default_factory=list)
    created: int = 0


SAMPLE_USERS = (
    SandboxUser(id="U0ANA", name="Ana Alves", email="ana@example.com", tz="Europe/Lisbon"),
    SandboxUser(id="U0LEAD", name="Lee Support", email="lead@example.com", tz="Europe/London"),
    SandboxUser(id="U0CXOPS", name="Cleo Ops", email="cx-ops@example.com", tz="America/New_York"),
)
SAMPLE_CHANNELS = (SandboxChannel(id="C0FEEDBACK", name="customer-feedback"),)


@dataclass
class SandboxConfig:
    """Settings of one sandbox; the callback addresses may be changed while it runs.

    `clock` answers Unix seconds and drives ts, trigger expiry, response_url expiry and rate limits;
    `callback_timeout` (seconds) and `event_retry_delays` (seconds) are real time.
    With `hires_whom_we_seek` everybody the app looks up by e-mail has an account, unless deactivated.
    `public_url` is the sandbox's own base address; without it, it is learnt from the first request.
    """

    bot_token: str = "xoxb-sandbox"  # noqa: S105 - the sandbox's published default, no secret
    app_token: str = "xapp-sandbox"  # noqa: S105
    signing_secret: str = "sandbox-signing-secret"  # noqa: S105
    interactivity_url: str = ""
    commands_url: str = ""
    events_url: str = ""
    options_url: str = ""
    rate_limits: bool = True
    message_burst: int = 3
    users: Sequence[SandboxUser] = SAMPLE_USERS
    hires_whom_we_seek: bool = False
    channels: Sequence[SandboxChannel] = SAMPLE_CHANNELS
    commands: Sequence[str] = ("/loops",)
    scopes: Sequence[str] = BOT_SCOPES
    team_id: str = "T0SANDBOX"
    team_name: str = "Sandbox"
    app_id: str = "A0SANDBOX"
    bot_user_id: str = "U0BOT"
    bot_id: str = "B0BOT"
    bot_name: str = "closeloop"
    public_url: str = ""
    clock: Callable[[], float] = time.time
    callback_timeout: float = 3.0
    event_retry_delays: Sequence[float] = (0.0, 60.0, 300.0)
    socket_host: str = "127.0.0.1"
    transport: httpx.AsyncBaseTransport | None = None
