"""Reads settings and policy, checks that they fit together, and connects a process to its outside world."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from shared.auth import with_admin_token
from shared.bus.connect import create_bus
from shared.clock import Clock, SystemClock
from shared.db.engine import Database
from shared.errors import ConfigurationError
from shared.observability import configure_logging
from shared.policy import EXAMPLE_FALLBACK, Policy, load_policy
from shared.runtime import Runtime
from shared.settings import LogSettings, Settings, load_settings

LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Configuration:
    """What a process was told: settings and policy, already checked against each other."""

    settings: Settings
    policy: Policy

    def runtime(self, *, database: bool, clock: Clock | None = None) -> Runtime:
        """The outside world, not yet connected; `database` is False for the stateless services."""
        clock = clock or SystemClock()
        return Runtime(
            settings=self.settings,
            policy=self.policy,
            clock=clock,
            bus=create_bus(self.settings, clock),
            database=Database(self.settings.database) if database else None,
        )


def configure() -> Configuration:
    """Raises ConfigurationError naming the setting or policy key that is wrong."""
    settings = _with_event_log(with_admin_token(load_settings()))
    configure_logging(_readable(settings.log))
    return check(settings, load_policy(settings.policy_file))


def check(settings: Settings, policy: Policy) -> Configuration:
    """Raises ConfigurationError for settings and policy that are right alone but wrong together."""
    if real_slack(settings) and policy.routing.fallback_owner == EXAMPLE_FALLBACK:
        raise ConfigurationError(
            f"{settings.policy_file}: routing.fallback_owner must name one of your people now that a real Slack token"
            " is set: who gets what nobody else can take (docs/policy.md)"
        )
    return Configuration(settings, policy)


def _with_event_log(settings: Settings) -> Settings:
    """`embedded://` lies beside an SQLite database; beside any other it lies in var/ of the working directory."""
    if settings.bus.url != "embedded://" or settings.database.url.startswith("sqlite"):
        return settings
    return settings.model_copy(update={"bus": settings.bus.model_copy(update={"url": "embedded://var/events.db"})})


def _readable(log: LogSettings) -> LogSettings:
    """Lines for people where people look on and nothing else was said; JSON everywhere else."""
    if sys.stderr.isatty() and "format" not in log.model_fields_set:
        return log.model_copy(update={"format": "console"})
    return log


def real_slack(settings: Settings) -> bool:
    """Whether messages would reach people: a token is set and the API is Slack's own."""
    host = "." + (urlsplit(settings.slack.api_url).hostname or "")
    return settings.slack.bot_token is not None and host.endswith((".slack.com", ".slack-gov.com"))


def is_loopback(host: str) -> bool:
    return host in LOOPBACK or host.startswith("127.")


def warnings(settings: Settings, host: str) -> Iterator[str]:
    """What is allowed but probably not meant, in words for the administrator."""
    if not is_loopback(host):
        yield (
            f"Listening on {host}: reachable from other machines, without TLS."
            " Put a proxy that ends TLS in front, and expose only /v1/webhooks, /v1/events and /slack."
        )
    if not settings.embedded and settings.database.url.startswith("sqlite"):
        yield "Kafka with SQLite works for one router only; for more, set CLOSELOOP_DATABASE__URL to PostgreSQL."
    if real_slack(settings) and settings.slack.signing_secret is None and settings.slack.app_token is None:
        yield (
            "Slack's buttons cannot reach us: set CLOSELOOP_SLACK__SIGNING_SECRET (and the Request URL of the app)"
            " or CLOSELOOP_SLACK__APP_TOKEN (Socket Mode)."
        )
