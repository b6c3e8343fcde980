"""What a case is: its states, its clocks and the facts the state machine decides on. Values only."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from services.router.domain.sla import Terms


class Status(StrEnum):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    TOUCHED = "touched"
    RESOLVED = "resolved"
    CLOSED = "closed"
    DISMISSED = "dismissed"


class Severity(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        return list(Severity).index(self)


class Proof(StrEnum):
    """What a touch rests on: its author's word, the helpdesk's own events, or the customer."""

    CLAIMED = "claimed"
    EVIDENCED = "evidenced"
    CONFIRMED = "confirmed"

    @property
    def rank(self) -> int:
        return list(Proof).index(self)


ENDED = frozenset({Status.CLOSED, Status.DISMISSED})


@dataclass(frozen=True, slots=True)
class Reply:
    """A public reply or call by our side, as the helpdesk told of it. `by` is as the helpdesk names them."""

    at: datetime
    source: str
    by: str | None = None


@dataclass(frozen=True, slots=True)
class TouchClock:
    """One promise to touch the customer: started by a flagged response, by hand or by a reopening; never moved.
    `joined_version` is the case version that first showed it, so that a touch covers just what its author saw."""

    id: str
    cause: str
    started_at: datetime
    due_at: datetime
    joined_version: int
    response_id: str | None = None
    touched_at: datetime | None = None
    touched_seq: int | None = None
    proof: Proof | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """`owner` and `support_lead` are e-mails; `covers_for` is the absent person whose case it is and who gets it back.
    `ended_by` is who closed or dismissed it, `reopened_by` who opened it again the last time. `promise_kept` is the
    customer's answer at the close-out, None where it was not asked.
    `version` is what people see and quote; `seq` is the journal's head."""

    id: str
    status: Status
    severity: Severity
    account_id: str | None
    account_name: str
    owner: str
    owner_reason: str
    support_lead: str | None
    opened_at: datetime
    terms: Terms
    policy_version: str
    version: int = 1
    seq: int = 0
    head_hash: str = ""
    owner_pinned: bool = False
    covers_for: str | None = None
    clocks: tuple[TouchClock, ...] = field(default=())
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    touched_at: datetime | None = None
    touched_by: str | None = None
    close_out_due_at: datetime | None = None
    close_out_asked_at: datetime | None = None
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    closed_at: datetime | None = None
    ended_by: str | None = None
    snoozed_until: datetime | None = None
    reopened: int = 0
    reopened_by: str | None = None
    merged_into: str | None = None
    promise_kept: bool | None = None
    last_command: str | None = None
    last_command_at: datetime | None = None

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def waiting_clocks(self) -> tuple[TouchClock, ...]:
        """The clocks no touch has covered yet, soonest due first."""
        return tuple(sorted((c for c in self.clocks if c.touched_at is None), key=lambda c: (c.due_at, c.id)))

    @property
    def proof(self) -> Proof | None:
        """What the last touch rests on: the least that holds for all it covered. None before there is one."""
        made = [clock for clock in self.clocks if clock.touched_at is not None]
        last = max((clock.touched_seq or 0 for clock in made), default=0)
        proofs = [clock.proof or Proof.CLAIMED for clock in made if (clock.touched_seq or 0) == last]
        return min(proofs, key=lambda proof: proof.rank, default=None)

    @property
    def touch_due_at(self) -> datetime | None:
        """When the next touch is due; after the last touch, when that one was due."""
        waiting = self.waiting_clocks
        if waiting:
            return waiting[0].due_at
        return max((clock.due_at for clock in self.clocks), default=None)
