"""What `make run` shows: sample accounts, and sample webhooks signed and sent through the real front door."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
from pydantic import SecretStr

from services.commands import accounts_file
from services.commands.webhook_secrets import new_secret
from services.ingest.account_record import parse_account
from services.slack_sandbox.app import SandboxUser
from shared import private_files
from shared.bus.base import Bus
from shared.clock import SystemClock
from shared.errors import CloseloopError, ConfigurationError
from shared.events.catalog import AccountUpdated, account_updated
from shared.events.envelope import to_record
from shared.settings import Settings, SourceSettings

FOLDER = Path(__file__).resolve().parents[2] / "deploy/samples"
SECRETS = Path("var/sample-secrets.json")
# Always the same: what was changed since, or happened already, is not undone or done again by the next `make run`.
_AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
_TIMEOUT_SECONDS = 20
_LOOKS, _LOOK_AGAIN_SECONDS = 60, 0.05


class SampleRefused(CloseloopError):
    """Our own front door did not take a sample."""


@dataclass(frozen=True)
class Webhook:
    """A sample delivery; `number` makes the id that is the same every time."""

    source: str
    number: str
    body: bytes


@dataclass(frozen=True)
class Samples:
    accounts: tuple[AccountUpdated, ...]
    webhooks: tuple[Webhook, ...]
    secrets: Mapping[str, str]

    @classmethod
    def load(cls, settings: Settings, folder: Path = FOLDER, secrets: Path = SECRETS) -> "Samples":
        """Raises ConfigurationError when the samples are not there, as in an installation without the repository."""
        if not folder.is_dir():
            raise ConfigurationError(f"there are no samples in {folder}: leave out --samples")
        webhooks = tuple(_webhook(file) for file in sorted(folder.glob("webhooks/*.json")))
        wanted = sorted({webhook.source for webhook in webhooks})
        return cls(_accounts(folder / "accounts.csv"), webhooks, _secrets(settings, wanted, secrets))

    def with_secrets(self, settings: Settings) -> Settings:
        """The settings with every source of the samples switched on."""
        missing = {
            name: SourceSettings(secret=SecretStr(secret))
            for name, secret in self.secrets.items()
            if name not in settings.sources or not settings.sources[name].secrets()
        }
        return settings.model_copy(update={"sources": {**settings.sources, **missing}})

    def people(self) -> list[SandboxUser]:
        """Everybody the accounts name, as members of the sandbox workspace."""
        roles = [(a.csm, a.csm_manager, a.support_lead) for a in self.accounts]
        emails = sorted({email for people in roles for email in people if email})
        return [SandboxUser(name=_name(email), email=email) for email in emails]

    async def publish_accounts(self, bus: Bus) -> None:
        await bus.publish([to_record(account_updated(account)) for account in self.accounts])

    async def wait_for_accounts(self, base: str, token: str) -> None:
        """Return when the router knows the accounts, or does not after some seconds: then the cases move later."""
        last = f"{base}/v1/accounts/{self.accounts[-1].id}"
        headers = {"authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, trust_env=False) as client:
            for _ in range(_LOOKS):
                if (await client.get(last, headers=headers)).is_success:
                    return
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    async def send(self, base: str) -> int:
        """Send every sample webhook to `base`, as its vendor would. Raises SampleRefused."""
        async with httpx.AsyncClient(base_url=base, timeout=_TIMEOUT_SECONDS, trust_env=False) as client:
            for webhook in self.webhooks:
                headers = signed(webhook, self.secrets[webhook.source], SystemClock().now())
                answer = await client.post(f"/v1/webhooks/{webhook.source}", content=webhook.body, headers=headers)
                if answer.status_code != httpx.codes.ACCEPTED:
                    raise SampleRefused(f"sample {webhook.number}: {answer.status_code} {answer.text}")
        return len(self.webhooks)


def signed(webhook: Webhook, secret: str, now: datetime) -> dict[str, str]:
    """The headers with which the vendor would deliver it."""
    return {"content-type": "application/json"} | SIGNERS[webhook.source](webhook, secret, now)


def _zendesk(webhook: Webhook, secret: str, now: datetime) -> dict[str, str]:
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    digest = hmac.digest(secret.encode(), stamp.encode() + webhook.body, hashlib.sha256)
    return {
        "x-zendesk-webhook-signature": base64.b64encode(digest).decode(),
        "x-zendesk-webhook-signature-timestamp": stamp,
        "x-zendesk-webhook-invocation-id": f"sample-{webhook.number}",
    }


def _intercom(webhook: Webhook, secret: str, _: datetime) -> dict[str, str]:
    return {"x-hub-signature": "sha1=" + hmac.new(secret.encode(), webhook.body, hashlib.sha1).hexdigest()}


def _standard(webhook: Webhook, secret: str, now: datetime) -> dict[str, str]:
    name, stamp = f"sample-{webhook.number}", str(int(now.timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{name}.{stamp}.".encode() + webhook.body, hashlib.sha256)
    return {
        "webhook-id": name,
        "webhook-timestamp": stamp,
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }


SIGNERS: Mapping[str, Callable[[Webhook, str, datetime], dict[str, str]]] = {
    "zendesk": _zendesk,
    "intercom": _intercom,
    "standard": _standard,
}


def _webhook(file: Path) -> Webhook:
    number, source, _ = file.stem.split("-", 2)
    return Webhook(source, number, file.read_bytes())


def _accounts(file: Path) -> tuple[AccountUpdated, ...]:
    rows, mistakes = accounts_file.read(file.read_text(encoding="utf-8"))
    if mistakes:
        raise ConfigurationError(f"{file}: line {mistakes[0].line}: {mistakes[0].words}")
    return tuple(parse_account(row.id, row.record, _AS_OF) for row in rows)


def _secrets(settings: Settings, sources: list[str], file: Path) -> dict[str, str]:
    """The first secret that is set for each source, else one kept in `file`, so that a copied curl works tomorrow."""
    kept: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    found: dict[str, str] = {}
    for name in sources:
        configured = settings.sources[name].secrets() if name in settings.sources else ()
        found[name] = configured[0] if configured else kept.setdefault(name, new_secret(name))
    private_files.write(file, json.dumps(kept))
    return found


def _name(email: str) -> str:
    return email.partition("@")[0].replace(".", " ").replace("-", " ").title()
