"""An alert that Slack does not bring goes to the support lead and by e-mail at once: a case is never silent."""

from datetime import datetime

import structlog
from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.cases import Cases
from services.router.domain import commands
from services.router.domain.arrivals import SYSTEM
from services.router.domain.case import Case
from services.router.domain.decision import NoticeKind
from services.router.store import cases as rows
from services.router.store import mails
from services.router.store.notices import Row
from shared import ids
from shared.policy import Policy
from shared.settings import SmtpSettings

log = structlog.get_logger(__name__)

UNDELIVERED = Counter(
    "closeloop_undelivered_alerts_total", "Alerts Slack did not bring, by what stands in: email, or none", ["by"]
)
ALERTS = frozenset({NoticeKind.CARD, NoticeKind.JOINED, NoticeKind.ESCALATION})


class Undelivered:
    def __init__(self, cases: Cases, policy: Policy, smtp: SmtpSettings) -> None:
        self._cases = cases
        self._routing = policy.routing
        self._has_mail = smtp.host is not None

    async def tell(self, tx: AsyncConnection, row: Row, why: str, now: datetime, reachable: bool = True) -> None:
        """In the transaction that parks the notice; a second time for the same one does nothing. `reachable`: it was
        the message or its place that Slack refused, not the person."""
        case = await self._mailed(tx, row, why, now)
        if case is not None and not row.data.get("stands_in"):
            lead = case.support_lead or self._routing.support_lead
            await self._record(tx, row, why, self._instead(row.recipient, lead, reachable), now)

    async def waits(self, tx: AsyncConnection, row: Row, why: str, now: datetime) -> None:
        """It still waits for Slack, for too long: by e-mail only, and once."""
        if await self._mailed(tx, row, why, now) is not None:
            await self._record(tx, row, why, None, now)

    async def _mailed(self, tx: AsyncConnection, row: Row, why: str, now: datetime) -> Case | None:
        """The case, when its people are to be mailed about this notice for the first time."""
        case = await rows.load(tx, row.case_id) if row.kind in ALERTS else None
        if case is None or case.ended:
            return None
        lead = case.support_lead or self._routing.support_lead
        people = dict.fromkeys(email for email in (row.recipient, lead) if email)
        if not await mails.add(tx, [self._mail(row, person, why, now) for person in people]):
            return None
        UNDELIVERED.labels("email" if self._has_mail else "none").inc()
        log.error("alert_not_delivered", notice=row.id, case=row.case_id, kind=row.kind, by_email=self._has_mail)
        return case

    async def _record(self, tx: AsyncConnection, row: Row, why: str, tell: str | None, now: datetime) -> None:
        command = commands.RecordUndelivered(
            actor=SYSTEM, notice_id=row.id, kind=row.kind, meant_for=row.recipient, why=why, tell=tell
        )
        await self._cases.apply(tx, row.case_id, command, now)

    def _instead(self, meant_for: str, lead: str | None, reachable: bool) -> str | None:
        people = (email for email in (lead, self._routing.fallback_owner) if email)
        return next((email for email in people if reachable or email != meant_for), None)

    def _mail(self, row: Row, person: str, why: str, now: datetime) -> dict[str, object]:
        return {
            "id": ids.derive("mail", row.id, person),
            "notice_id": row.id,
            "case_id": row.case_id,
            "recipient": person,
            "meant_for": row.recipient,
            "why": why,
            "state": mails.PENDING if self._has_mail else mails.UNSET,
            "created_at": now,
        }
