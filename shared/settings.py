"""Settings from the environment (prefix CLOSELOOP_, nested with `__`) or `.env`: where things are, and secrets."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

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


class DatabaseSettings(BaseModel):
    """`pool_size`: connections to read with, and on PostgreSQL as many to write with."""

    url: Annotated[str, AfterValidator(_with_driver)] = "sqlite+aiosqlite:///var/closeloop.db"
    pool_size: int = 10


class BusSettings(BaseModel):
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


class SlackSettings(BaseModel):
    bot_token: SecretStr | None = None
    signing_secret: SecretStr | None = None
    app_token: SecretStr | None = None
    api_url: str = SLACK_API
    timeout_seconds: float = 10.0
    rate_limits: bool = Field(default=True, description="off only for benchmarks against a sandbox without limits")


class SourceSettings(BaseModel):
    """A second secret may follow a comma, for rotation."""

    secret: SecretStr | None = None
    api_token: SecretStr | None = None

    def secrets(self) -> tuple[str, ...]:
        if self.secret is None:
            return ()
        return tuple(part.strip() for part in self.secret.get_secret_value().split(",") if part.strip())


class AuthSettings(BaseModel):
    admin_token: SecretStr | None = None


class HttpSettings(BaseModel):
    """Loopback unless told otherwise; `public_url` is the base under which vendors and Slack reach us."""

    host: str = "127.0.0.1"
    port: int | None = Field(default=None, ge=0, le=65535)
    public_url: str | None = None


class SmtpSettings(BaseModel):
    host: str | None = None
    port: int = 587
    username: str | None = None
    password: SecretStr | None = None
    sender: str = "closeloop@localhost"
    starttls: bool = True


class LogSettings(BaseModel):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", env_file=".env", extra="ignore", validate_default=True
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
        raise ConfigurationError(_explain(wrong)) from wrong


def _explain(wrong: ValidationError) -> str:
    lines = []
    for error in wrong.errors(include_input=False, include_url=False):
        name = PREFIX + "__".join(str(part) for part in error["loc"]).upper()
        lines.append(f"{name}: {error['msg']}")
    return "\n".join(lines)
