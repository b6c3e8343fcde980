"""`closeloop up`, `ingest`, `scoring` and `router`: the processes that go on until they are told to end."""

from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from migrations import schema
from services.all_in_one import SANDBOX_MEMORY, compose, sandbox_config, sandbox_service, with_sandbox
from services.commands.samples import Samples
from services.commands.terminal import warn
from services.commands.welcome import Welcome
from services.embedded.files import held
from services.hosting import serve
from services.hosting.composition import Composition
from services.hosting.startup import Configuration, configure, is_loopback, warnings
from services.ingest import app as ingest_app
from services.router import app as router_app
from services.router.store import leases
from services.scoring import app as scoring_app
from shared.runtime import Runtime, Service
from shared.settings import Settings

UP, INGEST, SCORING, ROUTER = 8000, 8001, 8002, 8003

Host = Annotated[str | None, typer.Option(help="Address to listen on [default: CLOSELOOP_HTTP__HOST or 127.0.0.1].")]
Port = Annotated[
    int | None, typer.Option(help="Port, 0 for a free one [default: CLOSELOOP_HTTP__PORT].", min=0, max=65535)
]


def up(
    samples: Annotated[bool, typer.Option("--samples", help="Bring sample accounts and send sample webhooks.")] = False,
    sandbox: Annotated[
        bool | None,
        typer.Option(help="Answer in Slack's place [default: on loopback, without a token and a public URL]."),
    ] = None,
    host: Host = None,
    port: Port = None,
) -> None:
    """Run everything in this one process, on port 8000; SQLite is migrated first."""
    configuration = configure()
    with held(configuration.settings, alone=True):
        serve.run(_up(configuration, samples, sandbox, host, port))


def ingest(host: Host = None, port: Port = None) -> None:
    """Run ingest (webhooks to events) on port 8001."""
    _one(ingest_app.build, INGEST, host, port, database=False)


def scoring(host: Host = None, port: Port = None) -> None:
    """Run scoring (events to flagged events) on port 8002."""
    _one(scoring_app.build, SCORING, host, port, database=False)


def router(host: Host = None, port: Port = None) -> None:
    """Run the router (cases, clocks, Slack, API, console) on port 8003."""
    _one(router_app.build, ROUTER, host, port, database=True)


async def _up(
    configuration: Configuration, samples: bool, sandbox: bool | None, host: str | None, port: int | None
) -> None:
    settings = configuration.settings
    host = host or settings.http.host
    with serve.listen(host, _port(port, settings, UP)) as listener:
        base = serve.address(listener)
        example = Samples.load(settings) if samples else None
        if example is not None:
            settings = example.with_secrets(settings)
        slack = None
        if _wants_sandbox(settings, host) if sandbox is None else sandbox:
            config = sandbox_config(base, example.people() if example else [])
            settings, slack = with_sandbox(settings, config), sandbox_service(config, SANDBOX_MEMORY)
        configuration = Configuration(settings, configuration.policy)
        _warn(settings, host)
        composition = compose(configuration, slack)
        composition.prepare = _prepare(composition.runtime, own=True)
        welcome = Welcome(composition, base, example, sandboxed=slack is not None)
        await serve.serve(composition, listener, beside=[welcome.show])


def _one(
    build: Callable[[Runtime], Service], default_port: int, host: str | None, port: int | None, *, database: bool
) -> None:
    configuration = configure()
    with held(configuration.settings, alone=False):
        serve.run(_serve_one(configuration, build, default_port, host, port, database=database))


async def _serve_one(
    configuration: Configuration,
    build: Callable[[Runtime], Service],
    default_port: int,
    host: str | None,
    port: int | None,
    *,
    database: bool,
) -> None:
    settings = configuration.settings
    host = host or settings.http.host
    _warn(settings, host)
    with serve.listen(host, _port(port, settings, default_port)) as listener:
        runtime = configuration.runtime(database=database)
        composition = Composition(runtime, [build(runtime)], prepare=_prepare(runtime, own=False))
        welcome = Welcome(composition, serve.address(listener))
        await serve.serve(composition, listener, beside=[welcome.show])


def _prepare(runtime: Runtime, *, own: bool) -> Callable[[], Awaitable[None]] | None:
    """What to do with the database before services use it: `own` SQLite, whose files this process holds alone, is
    upgraded and freed of what a killed process held; any other belongs to somebody who decides when."""
    database = runtime.database
    if database is None:
        return None

    async def prepare() -> None:
        if own and database.is_sqlite:
            await schema.upgrade(database)
            async with database.transaction() as tx:
                await leases.free_all(tx, runtime.clock.now())
        else:
            await schema.require_newest(database)

    return prepare


def _wants_sandbox(settings: Settings, host: str) -> bool:
    """Only where somebody tries things out: its page is open to whoever reaches the port, and what it takes nobody
    is told of."""
    return settings.slack.bot_token is None and settings.http.public_url is None and is_loopback(host)


def _port(chosen: int | None, settings: Settings, default: int) -> int:
    if chosen is not None:
        return chosen
    return default if settings.http.port is None else settings.http.port


def _warn(settings: Settings, host: str) -> None:
    for line in warnings(settings, host):
        warn(line)
