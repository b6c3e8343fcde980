"""feedback.scored -> rows: every response is stored; a flagged one gets its case, in the same transaction (G4)."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.cases import Cases, Need, key_of_account
from services.router.domain import commands
from services.router.domain.arrivals import SYSTEM
from services.router.domain.matching import Match, clues_of, domain_of, match, orphan_key
from services.router.domain.noise import Answer
from services.router.domain.proof import is_good
from services.router.domain.revision import Change, Revision, is_twin, only_listed, revise, says_again
from services.router.store import cases as case_rows
from services.router.store import deadlines, directory, responses, sources, texts
from services.router.store.responses import Known
from shared.clock import Clock
from shared.db.engine import Database
from shared.errors import TransientError
from shared.events.catalog import FeedbackScored, SurveyResponded
from shared.events.envelope import Message, decode_data, from_message
from shared.free_mail import FREE_MAIL
from shared.observability import EVENTS_LOST
from shared.policy import Policy

WEBHOOK, RECONCILER = "webhook", "reconciler"
_CONFIRMS_WITHIN = timedelta(days=90)
# SQLite has one writer: a whole batch in one transaction would keep alerts from being sent for seconds.
TICKET_ENDED = frozenset({"solved", "closed"})
_AT_ONCE = 8
_DECODER = msgspec.json.Decoder(FeedbackScored)


class Intake:
    def __init__(
        self, database: Database, cases: Cases, policy: Policy, clock: Clock, wake: Callable[[], None]
    ) -> None:
        self._database = database
        self._cases = cases
        self._policy = policy
        self._clock = clock
        self._wake = wake
        self._free_mail = FREE_MAIL | frozenset(policy.routing.free_mail_domains)

    async def handle(self, messages: Sequence[Message]) -> None:
        """Raises PoisonError for what is no scored response; DatabaseUnavailable when not all was written: the same
        messages again write the rest (G2)."""
        lanes: defaultdict[int, list[tuple[str, FeedbackScored]]] = defaultdict(list)
        for message in messages:
            event = from_message(message)
            lanes[message.partition].append((event.id, decode_data(event, _DECODER)))
        # Order matters within a partition only; side by side they do not wait for each other's round trips.
        results = await asyncio.gather(*(self._store_all(lane) for lane in lanes.values()), return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        for failure in sorted(failures, key=lambda one: not isinstance(one, TransientError)):
            raise failure

    async def _store_all(self, scored: Sequence[tuple[str, FeedbackScored]]) -> None:
        for start in range(0, len(scored), _AT_ONCE):
            await self._store(scored[start : start + _AT_ONCE])

    async def _store(self, scored: Sequence[tuple[str, FeedbackScored]]) -> None:
        now = self._clock.now()
        async with self._database.transaction() as tx:
            fresh = await responses.unseen(tx, [event_id for event_id, _ in scored], now)
            repeated: Counter[str] = Counter()
            for event_id, item in scored:
                if event_id in fresh:
                    fresh.discard(event_id)
                    await self._take(tx, item, now)
                elif item.response.detected_by == WEBHOOK:
                    repeated[item.response.source] += 1
            for source, times in sorted(repeated.items()):
                await sources.count(tx, source, now, duplicates=times)
        self._wake()

    async def grace_over(self, tx: AsyncConnection, response_id: str, now: datetime) -> None:
        """The customer had time to correct a misclick; what is still bad is alerted."""
        known = await responses.load(tx, response_id)
        if known is not None and known.flagged and not known.withdrawn and known.case_id is None:
            await self._raise(tx, response_id, known.received_at, "response", now)

    async def ticket_reopened(
        self, tx: AsyncConnection, source: str, ticket_id: str, at: datetime, now: datetime
    ) -> None:
        """A ticket reopened after a rating needs a person, however good the rating was."""
        rated = [known for known in await responses.of_ticket(tx, source, ticket_id) if known.occurred_at <= at]
        if not rated:
            return
        known, words = rated[-1], "The ticket was reopened after the customer rated it."
        if known.case_id is not None and await self._note(tx, known, "ticket_reopened", words, now):
            return
        await responses.revise(tx, known.id, {"flagged": True, "reasons": [words]})
        await self._raise(tx, known.id, at, "ticket_reopened", now)

    async def _take(self, tx: AsyncConnection, scored: FeedbackScored, now: datetime) -> None:
        answer = scored.response
        id_ = responses.response_id(answer.source, answer.record_id)
        known = await responses.load(tx, id_)
        if known is None and answer.detected_by != WEBHOOK:
            known = await self._twin(tx, answer)
        if known is None:
            await self._add(tx, id_, scored, now)
        else:
            await self._revise(tx, known, scored, now)

    async def _add(self, tx: AsyncConnection, id_: str, scored: FeedbackScored, now: datetime) -> None:
        answer = scored.response
        found = await self._find_account(tx, answer)
        row = {
            "id": id_,
            "record_id": answer.record_id,
            "source": answer.source,
            "received_at": answer.received_at,
            "account_id": found.account_id,
            "revision": 1,
            "detected_by": answer.detected_by,
            **_content(scored),
            "comment_id": await _keep_comment(tx, id_, answer.comment, now),
        }
        await responses.add(tx, row)
        if answer.detected_by == RECONCILER:
            EVENTS_LOST.labels(answer.source).inc()
            await sources.count(tx, answer.source, now, late_detected=1)
        if scored.flagged and not scored.late and not answer.withdrawn:
            await self._flag(tx, id_, answer.received_at, now)
        await self._confirm(tx, id_, scored, now)
        await directory.note_ticket(tx, answer, answer.occurred_at or answer.received_at)
        await self._reopened_meanwhile(tx, answer, now)

    async def _confirm(self, tx: AsyncConnection, id_: str, scored: FeedbackScored, now: datetime) -> None:
        """A good rating after a touch is the customer's word that it helped."""
        answer = scored.response
        if scored.flagged or answer.withdrawn or not is_good(answer.metric, answer.normalised_score):
            return
        rated_at = answer.occurred_at or answer.received_at
        earlier = await responses.earlier_of_person(tx, id_, rated_at - _CONFIRMS_WITHIN)
        for case_id, of in sorted(earlier.items()):
            command = commands.NoteGoodRating(actor=SYSTEM, response_id=id_, rated_at=rated_at, of=frozenset(of))
            await self._cases.apply(tx, case_id, command, now)

    async def _reopened_meanwhile(self, tx: AsyncConnection, answer: SurveyResponded, now: datetime) -> None:
        """Ratings and tickets travel apart: that a rated ticket was reopened may have been read before the rating."""
        if answer.ticket_id is None or answer.ticket_status not in TICKET_ENDED:
            return
        ticket = await directory.ticket_of(tx, answer.source, answer.ticket_id)
        rated_at = answer.occurred_at or answer.received_at
        if ticket is not None and ticket["status"] == "open" and ticket["changed_at"] > rated_at:
            at = min(ticket["changed_at"], now)
            await self.ticket_reopened(tx, answer.source, answer.ticket_id, at, now)

    async def _revise(self, tx: AsyncConnection, known: Known, scored: FeedbackScored, now: datetime) -> None:
        answer = scored.response
        revision = revise(known, scored)
        if revision.change is Change.NONE:
            return
        row = await responses.row_of(tx, known.id)
        if await self._nothing_new(tx, known, row, revision, answer):
            return
        changes = {**_content(scored), "revision": known.revision + 1, "received_at": known.received_at}
        changes["account_hint"] = {**row["account_hint"], **answer.account_hint}
        if answer.withdrawn and answer.metric == "none":
            # A deletion seldom says of which score.
            changes["metric"] = None
        if answer.comment:
            changes["comment_id"] = await _keep_comment(tx, known.id, answer.comment, now)
        if known.account_id is None:
            changes["account_id"] = (await self._find_account(tx, answer)).account_id
        await responses.revise(tx, known.id, {name: value for name, value in changes.items() if value is not None})
        if known.account_id is None and changes["account_id"] is not None:
            known = await self._adopt(tx, known, str(changes["account_id"]), now)
        await self._follow(tx, known, revision, answer, now)
        await self._confirm(tx, known.id, scored, now)

    async def _nothing_new(
        self, tx: AsyncConnection, known: Known, row: RowMapping, revision: Revision, answer: SurveyResponded
    ) -> bool:
        """Whether the vendor only says again what is here already; then at most its time moves on."""
        comment = (await texts.read(tx, [known.comment_id])).get(known.comment_id) if known.comment_id else None
        if answer.detected_by != WEBHOOK:
            return only_listed(revision.change, known, answer, comment)
        same = says_again(row, answer, comment)
        if same and answer.occurred_at is not None:
            await responses.revise(tx, known.id, {"occurred_at": answer.occurred_at})
        return same

    async def _twin(self, tx: AsyncConnection, answer: SurveyResponded) -> Known | None:
        """The response that a webhook brought under another record key: a vendor's list may lack the key its webhook
        has, and then ticket, score and time must do."""
        if answer.ticket_id is None:
            return None
        candidates = await responses.of_ticket(tx, answer.source, answer.ticket_id)
        return next((known for known in candidates if is_twin(known, answer)), None)

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
            await self._flag(tx, known.id, answer.received_at, now)
        elif known.case_id is not None:
            noted = await self._note(tx, known, revision.change.value, revision.words, now)
            if not noted and revision.change is Change.LOWER:
                await self._raise(tx, known.id, answer.received_at, "response", now)

    async def _note(self, tx: AsyncConnection, known: Known, change: str, words: str, now: datetime) -> bool:
        """Note it on the response's case; False when that has ended."""
        command = commands.NoteRevision(
            actor=SYSTEM, response_id=known.id, change=change, words=words, alert=change != Change.DETAILS
        )
        applied = await self._cases.apply(tx, str(known.case_id), command, now)
        return not applied.case.ended

    async def _flag(self, tx: AsyncConnection, id_: str, received_at: datetime, now: datetime) -> None:
        grace = self._policy.flag.grace
        if grace > timedelta(0) and received_at + grace > now:
            await deadlines.hold(tx, id_, received_at + grace)
        else:
            await self._raise(tx, id_, received_at, "response", now)

    async def _raise(self, tx: AsyncConnection, id_: str, started_at: datetime, cause: str, now: datetime) -> None:
        row = await responses.row_of(tx, id_)
        clues = clues_of(row["source"], row["account_hint"], row["requester_email"], self._free_mail)
        account = await directory.account_view(tx, row["account_id"])
        why = (
            "" if account else (await self._match(tx, row["source"], row["account_hint"], row["requester_email"])).words
        )
        need = Need(
            account=account,
            why_no_account=why,
            account_key=key_of_account(account.id) if account else orphan_key(clues, row["record_id"]),
            cause=cause,
            started_at=started_at,
            words=" ".join(row["reasons"]),
            response_id=id_,
            role=await directory.contact_role(tx, row["account_id"], row["requester_email"]),
            answer=_answer(row, started_at) if cause == "response" else None,
            facts={"source": row["source"], "metric": row["metric"], "score": row["normalised_score"]},
        )
        await self._cases.raise_need(tx, need, now)

    async def _find_account(self, tx: AsyncConnection, answer: SurveyResponded) -> Match:
        """By what the response says; where that finds nobody, by what its ticket says."""
        found = await self._match(tx, answer.source, answer.account_hint, answer.requester_email)
        if found.account_id is None:
            ticket = await directory.ticket_of(tx, answer.source, answer.ticket_id)
            if ticket is not None:
                by_ticket = await self._match(tx, answer.source, ticket["account_hint"], ticket["requester_email"])
                return by_ticket if by_ticket.account_id else found
        return found

    async def _match(self, tx: AsyncConnection, source: str, hint: dict[str, Any], email: str | None) -> Match:
        clues = clues_of(source, hint, email, self._free_mail)
        return match(clues, await directory.find(tx, clues))


def _answer(row: RowMapping, at: datetime) -> Answer:
    return Answer(row["id"], row["requester_email"], row["source"], row["ticket_id"], at)


def _content(scored: FeedbackScored) -> dict[str, Any]:
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


async def _keep_comment(tx: AsyncConnection, id_: str, comment: str | None, now: datetime) -> str | None:
    return (await texts.write(tx, comment, now, response_id=id_))["text"] if comment else None
