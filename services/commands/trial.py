"""`closeloop test-alert`: one harmless card to one person, before real people are alerted."""

from typing import Annotated

import typer

from services.commands.terminal import out, plain, run
from services.hosting.startup import configure
from services.router.slack.preflight import send_test_alert


def send_alert(to: Annotated[str, typer.Option("--to", help="E-mail of the person.")]) -> None:
    """Send one harmless card to one person, by the settings there are."""
    out.print(plain(run(_send(to))))


async def _send(to: str) -> str:
    return await send_test_alert(configure().runtime(database=False), to)
