"""Embedded mode: ingest, scoring and router in one process on one event loop, with a Slack sandbox beside them."""

from pathlib import Path

from pydantic import SecretStr
from starlette.routing import Mount

from services.embedded.retention import retention_service
from services.hosting.composition import Composition
from services.hosting.startup import Configuration
from services.ingest import app as ingest
from services.router import app as router
from services.scoring import app as scoring
from services.slack_sandbox.app import SandboxConfig, SandboxUser, create_app
from services.slack_sandbox.memory import Memory
from shared import ids
from shared.clock import Clock
from shared.runtime import Loop, Service
from shared.settings import Settings

SANDBOX_PATH = "/sandbox"
SANDBOX_MEMORY = Path("var/slack-sandbox.json")


def compose(configuration: Configuration, sandbox: Service | None = None, clock: Clock | None = None) -> Composition:
    """All services in one composition, not yet open."""
    runtime = configuration.runtime(database=True, clock=clock)
    services = [ingest.build(runtime), scoring.build(runtime), router.build(runtime), retention_service(runtime)]
    return Composition(runtime, [*services, sandbox] if sandbox is not None else services)


def sandbox_config(base: str, people: list[SandboxUser] | None = None) -> SandboxConfig:
    """A sandbox that calls the doors under `base`, with tokens nobody outside this process knows. Whoever an account
    names has an account there: a trial must not end with the fallback owner."""
    config = SandboxConfig(
        bot_token=f"xoxb-{ids.new_secret()}",
        app_token=f"xapp-{ids.new_secret()}",
        signing_secret=ids.new_secret(),
        hires_whom_we_seek=True,
        interactivity_url=f"{base}/slack/interactions",
        commands_url=f"{base}/slack/commands",
        events_url=f"{base}/slack/events",
        options_url=f"{base}/slack/options",
        public_url=f"{base}{SANDBOX_PATH}",
    )
    known = {user.email for user in config.users}
    config.users = [*config.users, *(person for person in people or () if person.email not in known)]
    return config


def sandbox_service(config: SandboxConfig, memory: Path | None = None) -> Service:
    """The sandbox as a part of the composition, under /sandbox; with `memory` it goes on where the last run ended."""
    app = create_app(config)
    workspace = app.state.workspace
    loops = []
    if memory is not None:
        kept = Memory(workspace, memory)
        kept.recall()
        loops.append(Loop("sandbox_memory", kept.keep))
    return Service("slack_sandbox", routes=[Mount(SANDBOX_PATH, app=app)], loops=loops, close=workspace.close)


def with_sandbox(settings: Settings, config: SandboxConfig) -> Settings:
    """The settings of a process that talks to this sandbox in place of Slack."""
    slack = settings.slack.model_copy(
        update={
            "bot_token": SecretStr(config.bot_token),
            "signing_secret": SecretStr(config.signing_secret),
            "app_token": None,
            "api_url": f"{config.public_url}/api/",
        }
    )
    return settings.model_copy(update={"slack": slack})
