"""`closeloop sources`: how every source is, how to connect one, and what a body would become."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from migrations import schema
from services.commands.session import open_database
from services.commands.terminal import FAILED, out, plain, run
from services.commands.webhook_secrets import new_secret
from services.hosting.startup import Configuration, configure
from services.ingest.guides import GUIDES, OWN, Guide
from services.ingest.sources import sources_of
from services.ingest.sources.base import Source
from services.ingest.switchboard import secret_setting
from services.ingest.trial import Tried, try_body
from services.ingest.vendors import BY_NAME as VENDORS_BY_NAME
from services.ingest.vendors.client import token_setting
from services.router.domain import spans
from services.router.domain.source_health import ALARMS
from services.router.store.source_views import SourceView, overview
from shared.clock import SystemClock
from shared.errors import ConfigurationError
from shared.settings import Settings

app = typer.Typer(help="Webhook sources: how they are, how to connect one, what a body becomes.")

Named = Annotated[str, typer.Argument(help="A source such as zendesk.")]
_LOCAL = "https://<public address>"


@app.callback(invoke_without_command=True)
def list_sources(context: typer.Context) -> None:
    """How every source is, with the counts of the last 24 hours. Status 1 when one needs somebody."""
    if context.invoked_subcommand is not None:
        return
    views = run(_views(configure()))
    if not views:
        out.print("No source was heard yet. Connect one: closeloop sources setup zendesk")
        return
    out.print(_table(views))
    alarms = [view for view in views if view.state in {state.value for state in ALARMS}]
    for view in alarms:
        out.print(f"\n[bold red]{view.source}: {view.state}[/]  {plain(view.words)}")
    if alarms:
        raise typer.Exit(FAILED)


@app.command()
def setup(source: Named) -> None:
    """Print the steps that connect a source: what to click, the address, the secret, the template to paste."""
    configuration = configure()
    _known(source, configuration)
    guide, settings = GUIDES.get(source, GUIDES["mapped"]), configuration.settings
    base = (settings.http.public_url or _LOCAL).rstrip("/")
    url = f"{base}/v1/webhooks/{source}"
    page = source if source in GUIDES else "mapped"
    out.print(f"[bold]Connect {source}[/] (docs/sources/{page}.md has more)\n")
    for number, step in enumerate(_steps(source, guide, url, settings), start=1):
        out.print(f"{number}. {plain(step)}")
    if not settings.http.public_url:
        out.print("\nSet CLOSELOOP_HTTP__PUBLIC_URL to see your own address here.")
    template = guide.template_text()
    if template:
        out.print("\n[bold]The template[/]\n")
        out.print(plain(template))
    out.print(f"\n[dim]{plain(guide.rule)} To switch it on again: {plain(guide.switch_on)}[/]")


def _steps(source: str, guide: Guide, url: str, settings: Settings) -> Iterator[str]:
    """A secret of our own making comes first, one of the vendor's after the webhook that shows it."""
    secret = _secret_step(source, guide, settings)
    if guide.sign_with == OWN:
        yield secret
    yield from (step.replace("{url}", url).replace("{source}", source) for step in guide.steps)
    if guide.sign_with != OWN:
        yield secret
    if source in VENDORS_BY_NAME and guide.api:
        yield _lines(
            f"For what the webhook leaves out, an API token: {guide.api}. Into .env:", f"{token_setting(source)}=..."
        )
    if guide.api_options:
        yield _lines("Into the policy file:", f"[sources.{source}]", *guide.api_options)
    yield "Start Closeloop again, send a test, and look: closeloop sources"


def _secret_step(source: str, guide: Guide, settings: Settings) -> str:
    name, configured = secret_setting(source), settings.sources.get(source)
    if configured and configured.secrets():
        return f"The secret is set ({name}); a new one goes behind it, after a comma, until the vendor uses it."
    if guide.sign_with == OWN:
        return _lines("A secret, just made. Into .env:", f"{name}={new_secret(source)}")
    return _lines(f"The secret: {guide.sign_with}. Into .env:", f"{name}=...")


def _lines(*lines: str) -> str:
    return "\n     ".join(lines)


@app.command("test")
def try_file(
    source: Named,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A body as the vendor sends it.")],
    header: Annotated[list[str] | None, typer.Option("--header", "-H", help="`Name: value`, as sent.")] = None,
) -> None:
    """Show what a body would become, by the present policy. Nothing is verified, sent or stored."""
    configuration = configure()
    kept = _known(source, configuration).keeps
    headers = _headers(header or [])
    tried = try_body(source, file.read_bytes(), headers, configuration.policy, SystemClock().now())
    _show(tried)
    if not tried.taken or tried.unproven:
        missing = [name for name in kept if name not in headers]
        if missing:
            out.print(plain(f"A delivery has more than its body: give what it was sent with, -H '{missing[0]}: ...'"))
        raise typer.Exit(FAILED)


def _known(source: str, configuration: Configuration) -> Source:
    sources = sources_of(configuration.policy.sources)
    if source not in sources:
        raise ConfigurationError(f"there is no source {source}; there are {', '.join(sorted(sources))}")
    return sources[source]


def _headers(lines: list[str]) -> dict[str, str]:
    pairs = [line.partition(":") for line in lines]
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _show(tried: Tried) -> None:
    out.print(f"[bold]{tried.outcome}[/]" + (f": {plain(tried.reason)}" if tried.reason else ""))
    for event in tried.events:
        out.print(plain(json.dumps(event, indent=2, ensure_ascii=False, default=str)))
    for reason in tried.rejected:
        out.print(f"[bold red]rejected[/]: {plain(reason)}")
    for words in tried.unproven:
        out.print(f"[bold red]does not hold[/]: {plain(words)}")


async def _views(configuration: Configuration) -> list[SourceView]:
    async with open_database(configuration) as database:
        await schema.require_newest(database)
        async with database.read() as connection:
            return await overview(connection, SystemClock().now())


def _table(views: list[SourceView]) -> Table:
    now = SystemClock().now()
    names = ("state", "last event", "taken", "rejected", "repeated", "lost", "lag", "API")
    table = Table(Column("source", no_wrap=True), *(Column(name, overflow="fold") for name in names), box=None)
    for view in views:
        last = _ago(now - view.last_event_at) if view.last_event_at else "never"
        lag = spans.in_words(timedelta(seconds=view.lag_mean_s)) if view.lag_mean_s is not None else "-"
        table.add_row(
            view.source,
            view.state,
            last,
            str(view.accepted),
            plain(", ".join(f"{count} {reason}" for reason, count in sorted(view.rejected.items())) or "0"),
            str(view.duplicates),
            str(view.lost) if view.reconciles or view.lost else "-",
            lag,
            _api(view),
        )
    return table


def _ago(span: timedelta) -> str:
    return f"{spans.in_words(span)} ago" if span >= timedelta(minutes=1) else "just now"


def _api(view: SourceView) -> str:
    if view.needs_credentials:
        return f"{view.needs_credentials} need credentials"
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(view.api.items())) or "-"
