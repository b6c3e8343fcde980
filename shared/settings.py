"""Settings from the environment (prefix CLOSELOOP_, nested with `__`) or `.env`: where things are, and secrets."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from shared.errors import ConfigurationError

PREFIX = "CLOSELOOP_"
SLACK_API = "https://slack.com/api/"
_DATABASES = ("sqlite+aiosqlite:", "postgresql+asyncpg:")


def _with_driver(url: str) -> str:
    if not url.startswith(_DATABASES):
        raise ValueError(
            "write sqlite+aiosqlite:///var/closeloop.db or postgresql+asyncpg://user:password@host/closeloop"
        )
    return url


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DatabaseSettings(_Part):
    """`pool_size`: connections to read with, and on PostgreSQL as many to write with."""

    url: Annotated[str, AfterValidator(_with_driver)] = "sqlite+aiosqlite:///var/closeloop.db"
    pool_size: int = 10


class BusSettings(_Part):
    """`embedded://` (the default) or `kafka://host:9092,host:9092`; SASL and TLS apply to Kafka only."""

    url: str = "embedded://"
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    username: str | None = None
    password: SecretStr | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    session_timeout_ms: int = 10_000


class SlackSettings(_Part):
    bot_token: SecretStr | None = None
    signing_secret: SecretStr | None = None
    app_token: SecretStr | None = None
    api_url: str = SLACK_API
    timeout_seconds: float = 10.0
    rate_limits: bool = Field(default=True, description="off only for benchmarks against a sandbox without limits")


class SourceSettings(_Part):
    """A second secret may follow a comma, for rotation."""

    secret: SecretStr | None = None
    api_token: SecretStr | None = None

    def secrets(self) -> tuple[str, ...]:
        if self.secret is None:
            return ()
        return tuple(part.strip() for part in self.secret.get_secret_value().split(",") if part.strip())


class AuthSettings(_Part):
    admin_token: SecretStr | None = None


class HttpSettings(_Part):
    """Loopback unless told otherwise; `public_url` is the base under which vendors and Slack reach us."""

    host: str = "127.0.0.1"
    port: int | None = Field(default=None, ge=0, le=65535)
    public_url: str | None = None


class SmtpSettings(_Part):
    host: str | None = None
    port: int = 587
    username: str | None = None
    password: SecretStr | None = None
    sender: str = "closeloop@localhost"
    starttls: bool = True


class LogSettings(_Part):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


class Settings(BaseSettings):
    """A variable that is set to nothing counts as not set, as in a copied deploy/env.example."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        validate_default=True,
    )

    database: DatabaseSettings = DatabaseSettings()
    bus: BusSettings = BusSettings()
    slack: SlackSettings = SlackSettings()
    sources: dict[str, SourceSettings] = {}
    auth: AuthSettings = AuthSettings()
    http: HttpSettings = HttpSettings()
    smtp: SmtpSettings = SmtpSettings()
    log: LogSettings = LogSettings()
    policy_file: Path = Path("policy.toml")
    retention_days: int = Field(default=0, ge=0, description="0 keeps everything; embedded files only")

    @property
    def embedded(self) -> bool:
        return self.bus.url.startswith("embedded:")


def load_settings() -> Settings:
    """Read the environment. Raises ConfigurationError naming the variable that is wrong."""
    try:
        return Settings()
    except ValidationError as wrong:
        raise ConfigurationError(_explain(wrong)) from None
    except SettingsError as wrong:
        raise ConfigurationError(
            f"{PREFIX}...: {wrong}; write one variable for each, such as {PREFIX}HTTP__PORT"
        ) from None


def _explain(wrong: ValidationError) -> str:
    lines = []
    for error in wrong.errors(include_input=False, include_url=False):
        name = PREFIX + "__".join(str(part) for part in error["loc"]).upper()
        unknown = error["type"] == "extra_forbidden"
        words = "there is no such setting" if unknown else error["msg"].removeprefix("Value error, ")
        lines.append(f"{name}: {words}")
    return "\n".join(lines)
