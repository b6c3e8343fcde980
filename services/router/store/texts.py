"""Free text in its own table, so that a person can be erased while the chain still holds (G10)."""

import secrets
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.domain.journal import text_digest
from services.router.tables import texts
from shared import ids


async def write(
    connection: AsyncConnection,
    body: str,
    now: datetime,
    *,
    case_id: str | None = None,
    response_id: str | None = None,
) -> dict[str, str]:
    """Store the text; what stands for it in the journal is returned."""
    text_id, salt = ids.new_id(), secrets.token_hex(16)
    digest = text_digest(salt, body)
    row = {
        "id": text_id,
        "body": body,
        "salt": salt,
        "digest": digest,
        "case_id": case_id,
        "response_id": response_id,
        "written_at": now,
    }
    await connection.execute(insert(texts).values(**row))
    return {"text": text_id, "digest": digest}


async def read(connection: AsyncConnection, text_ids: Sequence[str]) -> dict[str, str | None]:
    """Bodies by id; None for what was erased."""
    if not text_ids:
        return {}
    statement = select(texts.c.id, texts.c.body).where(texts.c.id.in_(text_ids))
    return {row.id: row.body for row in await connection.execute(statement)}
