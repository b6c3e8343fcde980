"""`closeloop secrets`: new secrets for webhooks and the admin token."""

from typing import Annotated

import typer

from services.commands.terminal import out
from services.commands.webhook_secrets import new_secret
from shared import ids

app = typer.Typer(help="Secrets for webhooks and for the admin token.", no_args_is_help=True)


@app.command()
def new(
    source: Annotated[str | None, typer.Argument(help="A source such as zendesk; without it, an admin token.")] = None,
) -> None:
    """Print a line for .env with a new secret. During a rotation put the old one after a comma."""
    line = (
        f"CLOSELOOP_SOURCES__{source.upper()}__SECRET={new_secret(source)}"
        if source
        else f"CLOSELOOP_AUTH__ADMIN_TOKEN={ids.new_secret()}"
    )
    out.print(line, markup=False)
