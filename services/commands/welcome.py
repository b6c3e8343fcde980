"""What a person reads once a process is up: where things are, and how to try them."""

import asyncio
import json
import shlex
from dataclasses import dataclass

from services.commands.samples import Samples
from services.commands.terminal import out, warn
from services.hosting.composition import Composition
from services.router.sessions import sign_in_url
from shared.auth import TOKEN_FILE, AdminAuth
from shared.errors import CloseloopError

_PATIENCE_SECONDS = 2


@dataclass(frozen=True)
class Welcome:
    """`base` is our own address on this machine."""

    composition: Composition
    base: str
    samples: Samples | None = None
    sandboxed: bool = False

    async def show(self) -> None:
        """Wait until everything is open, bring the samples, then say where things are."""
        await self._until_open()
        names = ", ".join(service.name for service in self.composition.services if service.routes)
        out.print(f"\n[bold green]Closeloop[/] is up on [bold]{self.base}[/]: {names}. Ctrl-C ends it.")
        for label, text in self._places():
            out.print(f"  {label:11} {text}", soft_wrap=True)
        if self.samples is not None:
            await self._bring(self.samples)

    async def _until_open(self) -> None:
        told = ""
        while not self.composition.opened.is_set():
            try:
                await asyncio.wait_for(self.composition.opened.wait(), _PATIENCE_SECONDS)
            except TimeoutError:
                if self.composition.waiting_for != told:
                    told = self.composition.waiting_for
                    warn(told)

    def _places(self) -> list[tuple[str, str]]:
        runtime = self.composition.runtime
        places = []
        if runtime.database is not None:
            places.append(("Console", f"{sign_in_url(runtime, self.base)}  (works once)"))
        if self.sandboxed:
            places.append(("Slack", f"{self.base}/sandbox/  (a sandbox: nobody outside it is told)"))
        elif runtime.database is not None and runtime.settings.slack.bot_token is None:
            places.append(("Slack", "no token: alerts wait until CLOSELOOP_SLACK__BOT_TOKEN is set"))
        places.append(("Webhooks", f"{self.base}/v1/webhooks/<source>"))
        places.append(("Admin token", f"in {TOKEN_FILE}, unless CLOSELOOP_AUTH__ADMIN_TOKEN is set"))
        return places

    async def _bring(self, samples: Samples) -> None:
        try:
            runtime = self.composition.runtime
            await samples.publish_accounts(runtime.bus)
            await samples.wait_for_accounts(self.base, AdminAuth(runtime.settings).token)
            sent = await samples.send(self.base)
        except CloseloopError as error:
            warn(str(error))
            return
        out.print(f"  {'Samples':11} {len(samples.accounts)} accounts, {sent} webhooks sent through the front door")
        for source, secret in samples.secrets.items():
            out.print(f"  {'Secret':11} {source}: {secret}", markup=False)
        out.print("\nA low CSAT as Zendesk would send it; paste it into another terminal:\n")
        out.print(curl(self.base, samples.secrets["zendesk"]), markup=False)
        out.print()


def curl(base: str, secret: str) -> str:
    """Shell lines that sign and send a new low CSAT each time they are pasted."""
    body = {
        "event": "csat.rated",
        "ticket": {
            "id": "@",
            "title": "Dashboard shows last week",
            "status": "Solved",
            "url": "acme.zendesk.com/agent",
        },
        "requester": {"id": "77", "name": "Mia Holm", "email": "mia.holm@northwind.example"},
        "satisfaction": {"rating": "Bad", "comment": "I asked twice and got a link to the manual."},
    }
    text = shlex.quote(json.dumps(body)).replace('@"', "'$NOW'\"", 1)
    return "\n".join(
        (
            "NOW=$(date +%s); AT=$(date -u +%Y-%m-%dT%H:%M:%SZ)",
            f"BODY={text}",
            f"SIG=$(printf '%s' \"$AT$BODY\" | openssl dgst -sha256 -hmac {shlex.quote(secret)} -binary | base64)",
            f'curl -i {base}/v1/webhooks/zendesk -H "content-type: application/json" -d "$BODY" \\',
            '  -H "x-zendesk-webhook-signature: $SIG" -H "x-zendesk-webhook-signature-timestamp: $AT"',
        )
    )
