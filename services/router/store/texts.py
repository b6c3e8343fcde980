"""Free text in its own table, so that a person can be erased while the chain still holds (G10)."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.domain.journal import text_digest
from services.router.tables import texts
from shared import ids

_ADD = insert(texts)
_READ = select(texts.c.id, texts.c.body).where(texts.c.id.in_(bindparam("ids", expanding=True)))


@dataclass(frozen=True, slots=True)
class Text:
    """A text to be kept: its row, and what stands for it in the journal."""

    row: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.row["id"])

    @property
    def stands_for(self) -> dict[str, str]:
        return {"text": self.row["id"], "digest": self.row["digest"]}


def text(body: str, now: datetime, *, case_id: str | None = None, response_id: str | None = None) -> Text:
    """Not stored yet: see `add`."""
    salt = secrets.token_hex(16)
    digest = text_digest(salt, body)
    of = {"case_id": case_id, "response_id": response_id, "written_at": now}
    return Text({"id": ids.new_id(), "body": body, "salt": salt, "digest": digest, **of})


async def add(connection: AsyncConnection, kept: Sequence[Text]) -> None:
    if kept:
        await connection.execute(_ADD, [item.row for item in kept])


async def read(connection: AsyncConnection, text_ids: Sequence[str]) -> dict[str, str | None]:
    """Bodies by id; None for what was erased."""
    if not text_ids:
        return {}
    return {row.id: row.body for row in await connection.execute(_READ, {"ids": text_ids})}
