"""The fact every figure is made from: one promise to touch a customer, with what became of it and of its case."""

from dataclasses import dataclass
from datetime import datetime

LEAD = "support_lead"
CLAIMED, EVIDENCED, CONFIRMED = "claimed", "evidenced", "confirmed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One touch clock. `opens` marks the clock that opened its case: figures about cases count those, so that a case
    is counted once. `alerted_at` is when the last of the people told first had seen the alert; `close_out_lapsed_at`
    when the case's close-out question first stayed unanswered too long. `proof` is what the touch rests on: claimed,
    evidenced or confirmed; `promise_kept` the customer's answer at the close-out."""

    clock_id: str
    case_id: str
    cause: str
    started_at: datetime
    due_at: datetime
    opens: bool
    status: str
    severity: str
    owner: str
    owner_reason: str
    account_name: str
    account_id: str | None = None
    response_id: str | None = None
    touched_at: datetime | None = None
    alerted_at: datetime | None = None
    close_out_due_at: datetime | None = None
    close_out_lapsed_at: datetime | None = None
    closed_at: datetime | None = None
    proof: str | None = None
    promise_kept: bool | None = None
    source: str | None = None
    metric: str | None = None
    tier: str | None = None
    segment: str | None = None

    @property
    def ended(self) -> bool:
        return self.status in ("closed", "dismissed")

    @property
    def origin(self) -> str:
        """The case whose journal started the clock: `L-ABC:3` was started by entry 3 of L-ABC. It is another one
        after a merge, and that is where the alert was seen."""
        return self.clock_id.rpartition(":")[0] or self.case_id


def seen_by_all(owner_side: datetime | None, lead_side: datetime | None) -> datetime | None:
    """When both of the people told first had seen the alert; one person in two roles has one side only."""
    return max((at for at in (owner_side, lead_side) if at is not None), default=None)
