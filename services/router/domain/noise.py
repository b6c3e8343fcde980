"""Keeps alerts worth reading: what is only said again, and until when a message waits. Pure; nothing is ever lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from services.router.domain.case import Case, Severity
from services.router.domain.decision import NoticeKind, Tell
from services.router.domain.spans import in_words
from services.router.domain.view import AccountView
from shared.policy import NoisePolicy, QuietHours

DUPLICATE, AUTOMATIC = "duplicate", "automatic"
WEEK = timedelta(days=7)
_LITTLE = frozenset({Severity.LOW, Severity.MEDIUM})
_ALERTS = frozenset({NoticeKind.CARD, NoticeKind.JOINED})


@dataclass(frozen=True, slots=True)
class Answer:
    """A flagged answer as far as telling repeats needs it; `person` is an e-mail, `score` the normalised one."""

    response_id: str
    person: str | None
    source: str
    ticket: str | None
    at: datetime
    metric: str | None = None
    score: float | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Again:
    """This answer needs no alert of its own. `cause` is duplicate or automatic, `of` the response shown already."""

    cause: str
    of: str
    words: str


def again(new: Answer, earlier: Sequence[Answer], policy: NoisePolicy) -> Again | None:
    """Whether an answer repeats one of its case: [noise] repeat_within, duplicate_within, robot_burst, robot_within."""
    if not new.person:
        return None
    own = [item for item in earlier if _same(item.person, new.person) and item.response_id != new.response_id]
    burst = [item for item in own if abs(new.at - item.at) <= policy.robot_within]
    if policy.robot_burst and len(burst) + 1 >= policy.robot_burst:
        words = f"Looks automatic: {len(burst) + 1} answers of one person within {in_words(policy.robot_within)}."
        return Again(AUTOMATIC, burst[0].response_id, words)
    for item in own:
        if new.ticket is None or (item.source, item.ticket) != (new.source, new.ticket):
            continue
        apart = abs(new.at - item.at)
        if policy.repeat_within and apart <= policy.repeat_within and _says_nothing_new(new, item):
            return Again(DUPLICATE, item.response_id, "The same answer came again, with nothing new.")
        if policy.duplicate_within and apart <= policy.duplicate_within:
            return Again(DUPLICATE, item.response_id, "The same person answered again about the same ticket.")
    return None


def folds(case: Case, tell: Tell, account: AccountView | None, soon: timedelta, now: datetime) -> bool:
    """Whether an alert over its owner's budget may wait for the digest: a new one, of low or medium severity, of an
    account that has a CSM and whose renewal is not `soon`. People who are escalated to are never made to wait."""
    new = tell.kind in _ALERTS and tell.since is not None and tell.to is None
    if not new or case.severity not in _LITTLE or account is None or account.csm is None:
        return False
    renewal = account.renewal_date
    return renewal is None or not now.date() <= renewal <= (now + soon).date()


def next_at(local: time, zone: ZoneInfo, now: datetime) -> datetime:
    """The next moment after `now` at which clocks there show `local`."""
    today = now.astimezone(zone).date()
    days = [today + timedelta(days=number) for number in range(-1, 3)]
    return min(at for day in days for at in _moments(day, local, zone) if at > now)


def quiet_until(quiet: QuietHours | None, zone: ZoneInfo, now: datetime) -> datetime | None:
    """The end of the quiet hours in which `now` lies there; None outside of them."""
    if quiet is None:
        return None
    shown = now.astimezone(zone).time()
    over_midnight = quiet.begins > quiet.until
    inside = quiet.begins <= shown < quiet.until
    if over_midnight:
        inside = shown >= quiet.begins or shown < quiet.until
    return next_at(quiet.until, zone, now) if inside else None


def held_until(case: Case, policy: NoisePolicy, zone: ZoneInfo, now: datetime, folded: bool = False) -> datetime | None:
    """When a message about this case goes to somebody in that zone; None: now. Never after a touch falls due that is
    not due yet; what is critical never waits."""
    if case.severity is Severity.CRITICAL:
        return None
    at = next_at(policy.digest_at, zone, now) if folded else now
    at = quiet_until(policy.quiet, zone, at) or at
    ahead = [clock.due_at for clock in case.waiting_clocks if clock.due_at > now]
    at = min([at, *ahead])
    return at if at > now else None


def _moments(day: date, local: time, zone: ZoneInfo) -> list[datetime]:
    """Twice where the clocks are put back over it; where they are put forward over it, that much later."""
    first, second = (datetime.combine(day, local.replace(fold=fold), zone).astimezone(UTC) for fold in (0, 1))
    return [first] if first > second else [first, second]


def _says_nothing_new(new: Answer, earlier: Answer) -> bool:
    """The same score, and no word that was not there already."""
    words = (new.comment or "").split()
    same_score = (new.metric, new.score) == (earlier.metric, earlier.score)
    return same_score and (not words or words == (earlier.comment or "").split())


def _same(one: str | None, other: str | None) -> bool:
    return bool(one and other and one.strip().lower() == other.strip().lower())
