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
from services.router.store.views import load_journal
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
        case = await self._concerned(tx, row)
        if case is None:
            return
        mailed = await self._mail(tx, row, case, why, now)
        if row.data.get("stands_in"):
            return
        instead = self._instead(row.recipient, self._lead(case), reachable)
        # Mailed before, while it still waited: then nobody was told in Slack yet.
        if mailed or (instead is not None and not await self._told_of(tx, row)):
            await self._record(tx, row, why, instead, now)

    async def waits(self, tx: AsyncConnection, row: Row, why: str, now: datetime) -> None:
        """It still waits for Slack, for too long: by e-mail only, and once."""
        case = await self._concerned(tx, row)
        if case is not None and await self._mail(tx, row, case, why, now):
            await self._record(tx, row, why, None, now)

    async def _concerned(self, tx: AsyncConnection, row: Row) -> Case | None:
        """The case, when this is an alert and people must still act on it."""
        case = await rows.load(tx, row.case_id) if row.kind in ALERTS else None
        return None if case is None or case.ended else case

    async def _mail(self, tx: AsyncConnection, row: Row, case: Case, why: str, now: datetime) -> bool:
        """Whether its people were not mailed about this notice before."""
        people = dict.fromkeys(email for email in (row.recipient, self._lead(case)) if email)
        if not await mails.add(tx, [self._mail_to(person, row, why, now) for person in people]):
            return False
        UNDELIVERED.labels("email" if self._has_mail else "none").inc()
        log.error("alert_not_delivered", notice=row.id, case=row.case_id, kind=row.kind, by_email=self._has_mail)
        return True

    async def _told_of(self, tx: AsyncConnection, row: Row) -> bool:
        """Whether somebody was told in Slack in place of this notice."""
        entries = await load_journal(tx, row.case_id)
        told = [entry.data for entry in entries if entry.type == "alert_undelivered" and entry.data.get("told")]
        return any(data.get("notice_id") == row.id for data in told)

    async def _record(self, tx: AsyncConnection, row: Row, why: str, tell: str | None, now: datetime) -> None:
        command = commands.RecordUndelivered(
            actor=SYSTEM, notice_id=row.id, kind=row.kind, meant_for=row.recipient, why=why, tell=tell
        )
        await self._cases.apply(tx, row.case_id, command, now)

    def _instead(self, meant_for: str, lead: str | None, reachable: bool) -> str | None:
        people = (email for email in (lead, self._routing.fallback_owner) if email)
        return next((email for email in people if reachable or email != meant_for), None)

    def _lead(self, case: Case) -> str | None:
        return case.support_lead or self._routing.support_lead

    def _mail_to(self, person: str, row: Row, why: str, now: datetime) -> dict[str, object]:
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
