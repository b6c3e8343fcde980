"""The policy: what is flagged, who is told, and by when. TOML, validated at start; an empty or missing file starts."""

import hashlib
import re
import tomllib
from datetime import time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationError,
    model_validator,
)

from shared.errors import ConfigurationError

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def parse_span(text: object) -> timedelta:
    """`"90s"`, `"30m"`, `"24h"`, `"7d"`, also `"1d12h"`. Raises ValueError that shows the form."""
    if isinstance(text, timedelta):
        return text
    if not isinstance(text, str) or not re.fullmatch(rf"(?:{_SPAN.pattern})+", text.strip()):
        raise ValueError(f'a duration is written like "90s", "30m", "24h" or "7d", not {text!r}')
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _SPAN.findall(text))
    return timedelta(seconds=seconds)


Span = Annotated[timedelta, BeforeValidator(parse_span), PlainSerializer(lambda span: span.total_seconds())]


def _email(text: str) -> str:
    if not _EMAIL.fullmatch(text):
        raise ValueError("write a person's e-mail address, such as ana@example.com")
    return text


Person = Annotated[
    str,
    BeforeValidator(lambda text: text.strip().lower() if isinstance(text, str) else text),
    AfterValidator(_email),
]
Severity = Literal["low", "medium", "high", "critical"]
SlackUser = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[UW][A-Z0-9]+$")]
EXAMPLE_FALLBACK = "cx-ops@example.com"
EscalationRole = Literal["csm_manager", "support_lead", "fallback_owner"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Thresholds(_Part):
    """A response at or under (CES: under) these is flagged."""

    csat_at_most: float = Field(default=3, ge=1, le=5)
    nps_at_most: float = Field(default=6, ge=0, le=10)
    ces_below: float = Field(default=4, ge=1, le=7.01)


class FlagOverride(_Part):
    """`[[flag.override]]`: other thresholds for one source, or for one survey of it."""

    source: str
    survey: str | None = None
    csat_at_most: float | None = Field(default=None, ge=1, le=5)
    nps_at_most: float | None = Field(default=None, ge=0, le=10)
    ces_below: float | None = Field(default=None, ge=1, le=7.01)


class FlagPolicy(Thresholds):
    ignore_older_than: Span | None = None
    grace: Span = timedelta(0)
    override: tuple[FlagOverride, ...] = ()


class TierMatch(_Part):
    severity: Severity | None = None
    tier: str | None = None
    segment: str | None = None


class SlaTier(_Part):
    """`[[sla.tier]]`: the first whose `when` fits sets the spans it names."""

    when: TierMatch
    touch_within: Span | None = None
    close_out_after: Span | None = None
    close_out_within: Span | None = None
    calendar: str | None = None


class SlaPolicy(_Part):
    alert_within: Span = timedelta(minutes=5)
    touch_within: Span = timedelta(hours=24)
    close_out_after: Span = timedelta(days=7)
    close_out_within: Span = timedelta(hours=48)
    remind_before: tuple[Span, ...] = (timedelta(hours=4),)
    escalate_every: Span = timedelta(hours=4)
    acknowledge_expires_after: Span = timedelta(hours=8)
    target: float = Field(default=0.95, gt=0, le=1)
    calendar: str = "always"
    tier: tuple[SlaTier, ...] = ()


class SeverityPolicy(_Part):
    critical_arr: float = 1_000_000
    high_arr: float = 100_000
    renewal_within: Span = timedelta(days=90)


class RoutingPolicy(_Part):
    support_lead: Person = "lead@example.com"
    fallback_owner: Person = EXAMPLE_FALLBACK
    escalate_to: tuple[EscalationRole, ...] = ("csm_manager", "support_lead", "fallback_owner")
    delivery: str = Field(default="dm", pattern=r"^(dm|group_dm|channel:[CG][A-Z0-9]+)$")
    pilot: str | None = Field(default=None, pattern=r"^channel:[CG][A-Z0-9]+$")
    free_mail_domains: tuple[str, ...] = ()
    slack_users: dict[Person, SlackUser] = {}


class Calendar(_Part):
    """`[calendar.office]`: working hours of a week in one time zone; `holidays` is a country code such as "DE" or
    "US-CA"; `days_off` adds dates."""

    timezone: str = "UTC"
    mon: tuple[str, ...] = ()
    tue: tuple[str, ...] = ()
    wed: tuple[str, ...] = ()
    thu: tuple[str, ...] = ()
    fri: tuple[str, ...] = ()
    sat: tuple[str, ...] = ()
    sun: tuple[str, ...] = ()
    holidays: str | None = None
    days_off: tuple[str, ...] = ()


class QuietHours(_Part):
    """`[noise.quiet]`: `from` and `until` as clocks show them where each person is; may go over midnight."""

    begins: time = Field(alias="from")
    until: time

    @model_validator(mode="after")
    def _some_hours(self) -> "QuietHours":
        if self.begins == self.until:
            raise ValueError("from and until are the same: there would be no quiet hours, or no others")
        if self.begins.tzinfo or self.until.tzinfo:
            raise ValueError('write times like "20:00": they are local to each person')
        return self


class NoisePolicy(_Part):
    """What is shown once, and what may wait. `repeat_within` is for answers that say nothing new, `duplicate_within`
    for any of the same person about the same ticket; `weekly_budget` 0: no budget; `robot_burst` 0: nothing looks
    automatic; `timezone` is that of people whose own is not known."""

    repeat_within: Span = timedelta(minutes=5)
    duplicate_within: Span = timedelta(0)
    robot_burst: int = Field(default=0, ge=0)
    robot_within: Span = timedelta(seconds=10)
    weekly_budget: int = Field(default=0, ge=0)
    digest_at: time = time(8, 30)
    quiet: QuietHours | None = None
    timezone: str = "UTC"

    @property
    def holds(self) -> bool:
        """Whether any notice may ever wait."""
        return self.weekly_budget > 0 or self.quiet is not None


Hideable = Literal["comment", "respondent", "arr"]


class PrivacyProfile(_Part):
    """`[[privacy.profile]]`: what cards in one channel do not show."""

    channel: str = Field(pattern=r"^[CDG][A-Z0-9]+$")
    hide: tuple[Hideable, ...] = ()


class PrivacyPolicy(_Part):
    """What is hidden in direct messages and in channels without a profile of their own; `may_reveal` are e-mails of
    people who may look at it beside those whom a case concerns."""

    dm: tuple[Hideable, ...] = ()
    default_channel: tuple[Hideable, ...] = ()
    profile: tuple[PrivacyProfile, ...] = ()
    may_reveal: tuple[Person, ...] = ()


class Policy(_Part):
    flag: FlagPolicy = FlagPolicy()
    sla: SlaPolicy = SlaPolicy()
    severity: SeverityPolicy = SeverityPolicy()
    routing: RoutingPolicy = RoutingPolicy()
    privacy: PrivacyPolicy = PrivacyPolicy()
    noise: NoisePolicy = NoisePolicy()
    calendar: dict[str, Calendar] = {}
    sources: dict[str, dict[str, Any]] = {}

    @model_validator(mode="after")
    def _calendars_exist(self) -> "Policy":
        named = {self.sla.calendar, *(tier.calendar for tier in self.sla.tier if tier.calendar)}
        for missing in named - {"always", *self.calendar}:
            raise ValueError(f'sla.calendar names "{missing}", but there is no [calendar.{missing}]')
        return self

    @property
    def version(self) -> str:
        """Twelve hex digits that change whenever anything in the policy does."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]


def parse_policy(text: str, name: str = "policy.toml") -> Policy:
    """Raises ConfigurationError naming the file and key."""
    try:
        return Policy.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as wrong:
        raise ConfigurationError(f"{name}: not TOML: {wrong}") from wrong
    except ValidationError as wrong:
        lines = []
        for error in wrong.errors(include_input=False, include_url=False):
            key = ".".join(str(part) for part in error["loc"]) or "policy"
            lines.append(f"{name}: {key}: {error['msg'].removeprefix('Value error, ')}")
        raise ConfigurationError("\n".join(lines)) from wrong


def load_policy(path: Path) -> Policy:
    """The policy of a file; a missing file is the defaults. Raises ConfigurationError."""
    try:
        return parse_policy(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        return Policy()
    except (OSError, UnicodeDecodeError) as wrong:
        raise ConfigurationError(f"{path} cannot be read: {wrong}") from wrong
