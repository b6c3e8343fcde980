"""Cases, contexts and commands for tests of the pure state machine."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from services.router.domain import commands
from services.router.domain.arrivals import Opening, open_case
from services.router.domain.case import Case, Severity
from services.router.domain.decide import decide
from services.router.domain.decision import Context, Decision
from services.router.domain.owners import Choice
from services.router.domain.sla import Terms

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
ANA, LEA, MAX = "ana@us.example", "lea@us.example", "max@us.example"


def context(now: datetime = NOON, terms: Terms | None = None) -> Context:
    chain = {
        0: Choice(MAX, "csm_manager", "the CSM's manager"),
        1: Choice(LEA, "support_lead", "support lead"),
        2: Choice("cx-ops@us.example", "fallback_owner", "fallback owner"),
    }
    return Context(now, terms or Terms(), "policy-v1", {}, chain)


def opened(now: datetime = NOON, **facts: Any) -> Decision:
    data: dict[str, Any] = {
        "case_id": "L-TEST",
        "account_id": "acme",
        "account_name": "Acme Ltd",
        "owner": ANA,
        "owner_reason": "CSM of the account",
        "support_lead": LEA,
        "severity": Severity.MEDIUM,
        "severity_words": "",
        "cause": "response",
        "response_id": "r1",
        "started_at": now,
        "facts": {},
        "words": "CSAT 2 of 5 is at or below 3",
    }
    return open_case(Opening(**{**data, **facts}), context(now))


class Story:
    """A case and a clock; `does` decides and keeps the result, counting journal entries as the writer would.
    `terms` are what the policy promises by now."""

    def __init__(self) -> None:
        self.now = NOON
        self.terms = Terms()
        self.decision = opened()
        self.case: Case = replace(self.decision.case, seq=1)

    def after(self, span: timedelta) -> "Story":
        self.now += span
        return self

    def does(self, command: commands.Command) -> Decision:
        self.decision = decide(self.case, command, context(self.now, self.terms))
        self.case = replace(self.decision.case, seq=self.case.seq + len(self.decision.entries))
        return self.decision

    def joins(self, response_id: str = "r2", severity: Severity = Severity.HIGH) -> Decision:
        join = commands.Join(
            actor="system",
            cause="response",
            response_id=response_id,
            started_at=self.now,
            severity=severity,
            facts={},
            words="CSAT 1 of 5",
        )
        return self.does(join)

    def touches(self, **facts: Any) -> Decision:
        return self.does(touch(self.now, **facts))


def touch(now: datetime, **facts: Any) -> commands.LogTouch:
    data: dict[str, Any] = {
        "actor": ANA,
        "channel": "call",
        "touched_at": now,
        "acknowledgement": "You lost a morning to the export; that is on us.",
        "next_step": "A fixed export for you",
        "next_step_due": date(2027, 6, 1),
    }
    return commands.LogTouch(**{**data, **facts})
