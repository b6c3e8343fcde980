"""A later event about a response that is there: what changes in its row, and what its case is told (G2)."""

from datetime import datetime
from typing import Any

from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.cases import Cases
from services.router.domain.matching import domain_of
from services.router.domain.revision import Change, Revision, only_listed, revise, says_again
from services.router.finding import Finder
from services.router.raising import Raiser
from services.router.store import cases as case_rows
from services.router.store import directory, responses, texts
from services.router.store.responses import Known
from shared.events.catalog import FeedbackScored, SurveyResponded

WEBHOOK, RECONCILER = "webhook", "reconciler"


class Reviser:
    def __init__(self, cases: Cases, finder: Finder, raiser: Raiser) -> None:
        self._cases = cases
        self._finder = finder
        self._raiser = raiser

    async def revise(self, tx: AsyncConnection, known: Known, scored: FeedbackScored, now: datetime) -> bool:
        """Whether the vendor said anything new."""
        answer = scored.response
        revision = revise(known, scored)
        if revision.change is Change.NONE:
            return False
        row = await responses.row_of(tx, known.id)
        if await _nothing_new(tx, known, row, revision, answer):
            return False
        changes = {**content(scored), "revision": known.revision + 1, "received_at": known.received_at}
        changes["account_hint"] = {**row["account_hint"], **answer.account_hint}
        if answer.withdrawn and answer.metric == "none":
            # A deletion seldom says of which score.
            changes["metric"] = None
        if answer.comment:
            comment = texts.text(answer.comment, now, response_id=known.id)
            await texts.add(tx, [comment])
            changes["comment_id"] = comment.id
        if known.account_id is None:
            changes["account_id"] = (await self._finder.account_of(tx, answer)).account_id
        await responses.revise(tx, known.id, {name: value for name, value in changes.items() if value is not None})
        if known.account_id is None and changes["account_id"] is not None:
            known = await self._adopt(tx, known, str(changes["account_id"]), now)
        await self._follow(tx, known, revision, answer, now)
        return True

    async def _adopt(self, tx: AsyncConnection, known: Known, account_id: str, now: datetime) -> Known:
        """The account of a response became known later: its case moves there, or into the one that is open there."""
        account = await directory.account_view(tx, account_id)
        if known.case_id is None or account is None or known.case_id not in await case_rows.open_orphans(tx):
            return known
        await self._cases.adopt(tx, known.case_id, account, now)
        return await responses.load(tx, known.id) or known

    async def _follow(
        self, tx: AsyncConnection, known: Known, revision: Revision, answer: SurveyResponded, now: datetime
    ) -> None:
        if revision.change is Change.WORSE:
            await self._raiser.flag_known(tx, known.id, answer.received_at, now)
        elif known.case_id is not None:
            noted = await self._raiser.note(tx, known, revision.change.value, revision.words, now)
            if not noted and revision.change is Change.LOWER:
                await self._raiser.raise_known(tx, known.id, answer.received_at, now)


async def _nothing_new(
    tx: AsyncConnection, known: Known, row: RowMapping, revision: Revision, answer: SurveyResponded
) -> bool:
    """Whether the vendor only says again what is here already; then at most its time moves on."""
    comment = (await texts.read(tx, [known.comment_id])).get(known.comment_id) if known.comment_id else None
    if answer.detected_by != WEBHOOK:
        return only_listed(revision.change, known, answer, comment)
    same = says_again(row, answer, comment)
    if same and answer.occurred_at is not None:
        await responses.revise(tx, known.id, {"occurred_at": answer.occurred_at})
    return same


def content(scored: FeedbackScored) -> dict[str, Any]:
    """What an event says of a response, as columns of its row."""
    answer = scored.response
    return {
        "metric": answer.metric,
        "raw_score": answer.raw_score,
        "raw_scale": answer.raw_scale,
        "normalised_score": answer.normalised_score,
        "survey_id": answer.survey_id,
        "ticket_id": answer.ticket_id,
        "ticket_url": answer.ticket_url,
        "subject": answer.subject,
        "requester_email": answer.requester_email,
        "requester_name": answer.requester_name,
        "requester_domain": domain_of(answer.requester_email),
        "account_hint": answer.account_hint,
        "assignee": answer.assignee,
        "occurred_at": answer.occurred_at or answer.received_at,
        "flagged": scored.flagged,
        "late": scored.late,
        "withdrawn": answer.withdrawn,
        "reasons": [reason.words for reason in scored.reasons],
        "policy_version": scored.policy_version,
    }
