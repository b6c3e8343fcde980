"""Whether a source is well: heard as often as it normally is, and taken when it delivers. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from services.router.domain import spans
from services.router.domain.rhythm import Rhythm

EXPECTED_MISSED = 8.0
"""Silent: so many events should have come. By chance that happens once in 3,000 times."""
SHORTEST_SILENCE = timedelta(minutes=30)
WINDOW = timedelta(minutes=15)
REJECTED_SHARE, WELL_AGAIN_SHARE = 0.5, 0.2
FEWEST_REJECTED = 5
UNREPORTED_AFTER = timedelta(minutes=10)
_HINTS = {
    "signature": "Is the secret here the one the vendor has? `closeloop sources setup` says where it is shown.",
    "media type": "Is the webhook set to the format that `closeloop sources setup` names?",
    "too large": "The vendor is asked to send less, or the proxy between adds to it.",
    "our log was down": "The fault is ours: look at the log of ingest; most vendors send again.",
}


class SourceState(StrEnum):
    """NEW has not been heard yet. REFUSED: the vendor refuses our API credentials. UNREPORTED: no ingest process has
    reported on it, so nobody knows."""

    NEW = "new"
    WELL = "well"
    SILENT = "silent"
    REJECTING = "rejecting"
    REFUSED = "refused"
    UNREPORTED = "unreported"


ALARMS = frozenset({SourceState.SILENT, SourceState.REJECTING, SourceState.REFUSED, SourceState.UNREPORTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """`accepted` (what was taken or rightly ignored) and `rejected` by reason are of the last WINDOW; `rule` and
    `switch_on` are the vendor's; `found_otherwise` counts what the reconciler found since it was last heard."""

    source: str
    state: SourceState
    last_heard_at: datetime | None
    reported_at: datetime
    rhythm: Rhythm | None = None
    accepted: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    trouble: str | None = None
    webhook: bool = True
    rule: str = ""
    switch_on: str = ""
    found_otherwise: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """`words` say what is so, why, and what to do."""

    state: SourceState
    words: str


def judge(facts: Facts, now: datetime) -> Verdict:
    """The one thing that is wrong, the gravest first."""
    if now - facts.reported_at > UNREPORTED_AFTER:
        silence = spans.in_words(now - facts.reported_at)
        return Verdict(
            SourceState.UNREPORTED,
            f"No ingest process has reported on {facts.source} for {silence}: is ingest running, and is the source"
            " still switched on there?",
        )
    if _rejecting(facts):
        return Verdict(SourceState.REJECTING, _rejecting_words(facts))
    if facts.webhook and _silent(facts, now):
        return Verdict(SourceState.SILENT, _silent_words(facts, now))
    if facts.trouble:
        return Verdict(
            SourceState.REFUSED, f"{facts.trouble}. Nothing is lost; what waits goes on when it works again."
        )
    if facts.last_heard_at is None:
        return Verdict(SourceState.NEW, f"Nothing has come from {facts.source} yet.")
    return Verdict(SourceState.WELL, f"{facts.source} is heard as usual.")


def worth_telling(before: SourceState, verdict: Verdict) -> bool:
    """Alarms, and their end; not that a new source was heard for the first time."""
    return verdict.state is not before and (verdict.state in ALARMS or before in ALARMS)


def _rejecting(facts: Facts) -> bool:
    rejected = sum(facts.rejected.values())
    everything = rejected + facts.accepted
    if facts.state is SourceState.REJECTING:
        # A vendor that gave up sends nothing at all: that is not well yet.
        return facts.accepted == 0 or rejected > WELL_AGAIN_SHARE * everything
    return rejected >= FEWEST_REJECTED and rejected >= REJECTED_SHARE * everything


def _rejecting_words(facts: Facts) -> str:
    if not facts.rejected:
        return f"Nothing from {facts.source} has been taken since it was rejected. {_vendor(facts)}"
    reason, count = max(facts.rejected.items(), key=lambda item: (item[1], item[0]))
    everything = sum(facts.rejected.values()) + facts.accepted
    hint = _HINTS.get(reason, "`closeloop dead-letters list` has them.")
    minutes = WINDOW // timedelta(minutes=1)
    return (
        f"{facts.source}: {sum(facts.rejected.values())} of {everything} deliveries of the last {minutes} minutes were"
        f" rejected, {count} because of: {reason}. {hint} {_vendor(facts)}"
    )


def _silent(facts: Facts, now: datetime) -> bool:
    if facts.rhythm is None or facts.last_heard_at is None or now - facts.last_heard_at < SHORTEST_SILENCE:
        return False
    return facts.rhythm.expected(facts.last_heard_at, now) >= EXPECTED_MISSED


def _silent_words(facts: Facts, now: datetime) -> str:
    assert facts.rhythm is not None
    assert facts.last_heard_at is not None
    usual = round(facts.rhythm.expected(facts.last_heard_at, now))
    found = f" Asking the vendor found {facts.found_otherwise} responses meanwhile." if facts.found_otherwise else ""
    return (
        f"Nothing from {facts.source} since {spans.utc_minute(facts.last_heard_at)}; normally about {usual} events"
        f" would have come.{found} {_vendor(facts)}"
    )


def _vendor(facts: Facts) -> str:
    return f"{facts.rule} To switch it on again: {facts.switch_on}".strip() if facts.switch_on else facts.rule
