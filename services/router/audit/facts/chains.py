"""Journals as they are stored, with the heads the cases claim and the texts the entries stand for."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.audit.recompute import JournalEntry
from services.router.domain.journal import Sealed
from services.router.tables import cases, journal, texts


@dataclass(frozen=True, slots=True)
class Chain:
    """`head` and `seq` are what the case row says of the last entry."""

    case_id: str
    head: str
    seq: int
    entries: tuple[Sealed, ...]


@dataclass(frozen=True, slots=True)
class StoredText:
    """`body` is None when it was erased."""

    body: str | None
    salt: str
    digest: str


async def next_cases(connection: AsyncConnection, after: str, limit: int) -> list[str]:
    """The ids of the next cases in order of id."""
    statement = select(cases.c.id).where(cases.c.id > after).order_by(cases.c.id).limit(limit)
    return list((await connection.execute(statement)).scalars())


async def read_chains(connection: AsyncConnection, case_ids: Sequence[str]) -> list[Chain]:
    """Heads and entries are read in one statement, so that a case changing meanwhile does not look broken."""
    statement = (
        select(journal, cases.c.head_hash, cases.c.seq.label("head_seq"), cases.c.id.label("id"))
        .select_from(cases.outerjoin(journal, journal.c.case_id == cases.c.id))
        .where(cases.c.id.in_(list(case_ids)))
        .order_by(cases.c.id, journal.c.seq)
    )
    rows = (await connection.execute(statement)).mappings()
    chains = []
    for case_id, found in groupby(rows, key=lambda row: row["id"]):
        members = list(found)
        entries = tuple(_sealed(row) for row in members if row["seq"] is not None)
        chains.append(Chain(case_id, members[0]["head_hash"], members[0]["head_seq"], entries))
    return chains


async def read_texts(connection: AsyncConnection, text_ids: Sequence[str]) -> dict[str, StoredText]:
    statement = select(texts.c.id, texts.c.body, texts.c.salt, texts.c.digest).where(texts.c.id.in_(list(text_ids)))
    return {row.id: StoredText(row.body, row.salt, row.digest) for row in await connection.execute(statement)}


def to_entry(sealed: Sealed) -> JournalEntry:
    return JournalEntry(sealed.case_id, sealed.seq, sealed.at, sealed.actor, sealed.type, json.loads(sealed.data))


def _sealed(row: Any) -> Sealed:
    names = ("case_id", "seq", "at", "actor", "type", "data", "prev_hash", "hash")
    return Sealed(**{name: row[name] for name in names})
