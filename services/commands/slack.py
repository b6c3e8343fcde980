"""`closeloop slack`: the app's one manifest, and everything that keeps alerts from arriving."""

import re
from pathlib import Path
from typing import Annotated

import typer

from services.commands.doctor import examine
from services.commands.terminal import FAILED, out, run
from services.hosting.startup import configure
from shared.errors import ConfigurationError

app = typer.Typer(help="Set the Slack app up, and check it.", no_args_is_help=True)

TEMPLATE = Path(__file__).resolve().parents[2] / "deploy/slack-manifest.yaml"
_EXAMPLE = "https://closeloop.example.com"
_SOCKET_MODE = re.compile(r"socket_mode_enabled: \w+")
_ADDRESS = re.compile(r"https://[^\s/\"'#]+(?:/[^\s\"'#]*)?")
_QUESTIONS = ("Slack", "Slack buttons", "people", "clock", "reachable")


@app.command()
def manifest(
    url: Annotated[str, typer.Option("--url", help="Where Slack reaches us, such as https://loop.example.org")] = "",
    socket_mode: Annotated[bool, typer.Option("--socket-mode", help="Behind a firewall: no address at all.")] = False,
) -> None:
    """Print the manifest to paste at api.slack.com/apps -> Create New App -> From a manifest."""
    known = url or configure().settings.http.public_url or ""
    typer.echo(filled(TEMPLATE.read_text(encoding="utf-8"), known, socket_mode), nl=False)


@app.command("check")
def check_app() -> None:
    """Check token, scopes, buttons, clock, channel, and every person the policy and accounts name. Status 1 when
    something fails."""
    if run(examine(configure(), _QUESTIONS)):
        raise typer.Exit(FAILED)
    out.print("Send yourself a card: closeloop test-alert --to you@example.com")


def filled(template: str, url: str, socket_mode: bool) -> str:
    """The template with our address in it, or with none. Raises ConfigurationError for what Slack would refuse."""
    if socket_mode:
        lines = [line for line in template.splitlines() if _EXAMPLE not in line and not line.startswith("#")]
        return _SOCKET_MODE.sub("socket_mode_enabled: true", "\n".join(lines) + "\n")
    base = url.rstrip("/")
    if not _ADDRESS.fullmatch(base):
        raise ConfigurationError(
            f"{base or 'no address'}: Slack calls https addresses only. Give --url https://..., or --socket-mode"
        )
    lines = [line for line in template.splitlines() if not line.startswith("#")]
    return "\n".join(lines).replace(_EXAMPLE, base) + "\n"
