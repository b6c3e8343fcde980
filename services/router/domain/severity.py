"""How bad it is, from revenue, the contact's role, the renewal date and repetition, with the reasons in words."""

from dataclasses import dataclass
from datetime import date

from services.router.domain.case import Severity
from shared.policy import SeverityPolicy

DECISION_MAKERS = frozenset({"champion", "economic_buyer"})


@dataclass(frozen=True, slots=True)
class Verdict:
    severity: Severity
    words: str


@dataclass(frozen=True, slots=True)
class Stakes:
    """`arr` a year in the account's currency; `earlier_low` the account's flagged responses of the last 90 days."""

    arr: float | None = None
    renewal_date: date | None = None
    role: str | None = None
    earlier_low: int = 0


def assess(stakes: Stakes, policy: SeverityPolicy, today: date) -> Verdict:
    """Medium unless revenue, renewal or role say more; a repeat raises by one; a small account's end user is low."""
    arr = stakes.arr or 0
    renewing = _renewing(stakes.renewal_date, policy, today)
    deciding = stakes.role in DECISION_MAKERS
    words = []
    if arr >= policy.critical_arr or (renewing and (arr >= policy.high_arr or deciding)):
        level = Severity.CRITICAL
    elif arr >= policy.high_arr or renewing or deciding:
        level = Severity.HIGH
    elif stakes.arr is not None and stakes.role == "end_user" and arr < policy.high_arr / 10:
        level = Severity.LOW
    else:
        level = Severity.MEDIUM
    if arr >= policy.high_arr:
        words.append(f"ARR {arr:,.0f}")
    if renewing:
        words.append(f"renews on {stakes.renewal_date}")
    if deciding:
        words.append(f"from the {str(stakes.role).replace('_', ' ')}")
    if stakes.earlier_low:
        words.append(f"{stakes.earlier_low} earlier low score(s) in 90 days")
        level = list(Severity)[min(level.rank + 1, Severity.CRITICAL.rank)]
    return Verdict(level, "; ".join(words) or "nothing known that raises it")


def _renewing(renewal: date | None, policy: SeverityPolicy, today: date) -> bool:
    return renewal is not None and 0 <= (renewal - today).days <= policy.renewal_within.days
