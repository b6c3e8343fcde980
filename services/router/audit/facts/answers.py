"""What customers answered, for the rows of an export."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.tables import responses, texts


@dataclass(frozen=True, slots=True)
class Answer:
    """`comment` is the customer's raw text; None when there is none or it was erased."""

    raw_score: Any
    score: float | None
    ticket_id: str | None
    ticket_url: str | None
    requester_email: str | None
    comment: str | None


async def read_answers(connection: AsyncConnection, response_ids: Sequence[str]) -> dict[str, Answer]:
    statement = (
        select(
            responses.c.id,
            responses.c.raw_score,
            responses.c.normalised_score,
            responses.c.ticket_id,
            responses.c.ticket_url,
            responses.c.requester_email,
            texts.c.body,
        )
        .outerjoin(texts, texts.c.id == responses.c.comment_id)
        .where(responses.c.id.in_(list(response_ids)))
    )
    return {row.id: Answer(*row[1:]) for row in await connection.execute(statement)}
