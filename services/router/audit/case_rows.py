"""The row-level export: one line for each promised touch, with the answer that caused it."""

import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from services.router.audit import metrics
from services.router.audit.facts.answers import Answer, read_answers
from services.router.audit.facts.connection import Connection
from services.router.audit.promise import Promise
from services.router.domain.masking import masked_value

_AT_A_TIME = 500

COLUMNS = (
    "case_id status severity account_id account_name tier segment owner owner_reason cause flagged_at alerted_at "
    "alert_s touch_due_at touched_at touched_in_time time_to_touch_s close_out_due_at closed_at closed_in_time "
    "proof promise_kept "
    "source metric score raw_score ticket_id ticket_url requester_email comment"
).split()


async def case_rows(
    connection: Connection, promises: AsyncIterator[Promise], now: datetime
) -> AsyncIterator[list[Any]]:
    """Values in the order of COLUMNS."""
    batch: list[Promise] = []
    async for promise in promises:
        batch.append(promise)
        if len(batch) == _AT_A_TIME:
            for row in await _rows(connection, batch, now):
                yield row
            batch.clear()
    for row in await _rows(connection, batch, now):
        yield row


async def _rows(connection: Connection, batch: list[Promise], now: datetime) -> list[list[Any]]:
    answers = await read_answers(connection, [item.response_id for item in batch if item.response_id])
    return [_row(promise, answers.get(promise.response_id or ""), now) for promise in batch]


def _row(promise: Promise, answer: Answer | None, now: datetime) -> list[Any]:
    seen = None if promise.alerted_at is None else metrics.alert_seconds(promise, now)
    return [
        *(promise.case_id, promise.status, promise.severity, promise.account_id, promise.account_name),
        *(promise.tier, promise.segment, promise.owner, promise.owner_reason, promise.cause),
        *(promise.started_at, promise.alerted_at, seen, promise.due_at, promise.touched_at),
        *(metrics.touch_outcome(promise, now), metrics.time_to_touch(promise, now)),
        *(promise.close_out_due_at, promise.closed_at, metrics.close_out_outcome(promise, now)),
        *(promise.proof, promise.promise_kept),
        *(promise.source, promise.metric, *_answer(answer)),
    ]


def _answer(answer: Answer | None) -> tuple[Any, ...]:
    if answer is None:
        return (None,) * 6
    raw = answer.raw_score
    told = json.dumps(raw, ensure_ascii=False) if isinstance(raw, dict | list) else raw
    comment = masked_value(answer.comment)
    return answer.score, told, answer.ticket_id, answer.ticket_url, answer.requester_email, comment
