"""Account records as they were put, page by page, and the domains that no account claims."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import exists, func, select
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.tables import account_aliases, account_domains, accounts, contacts, responses


@dataclass(frozen=True, slots=True)
class ContactRecord:
    email: str
    name: str | None
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRecord:
    """The record of PUT /v1/accounts/{id}; `arr` in units of `currency` a year."""

    id: str
    name: str
    tier: str | None
    segment: str | None
    arr: float | None
    currency: str | None
    renewal_date: date | None
    csm: str | None
    csm_manager: str | None
    support_lead: str | None
    changed_at: datetime
    domains: list[str] = field(default_factory=list)
    aliases: dict[str, list[str]] = field(default_factory=dict)
    contacts: list[ContactRecord] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class UnmatchedDomain:
    """`responses` counts survey answers from there, `flagged` the bad ones among them."""

    domain: str
    responses: int
    flagged: int
    last_seen_at: datetime


_PLAIN = tuple(name for name in AccountRecord.__slots__ if name not in ("domains", "aliases", "contacts"))


async def list_accounts(connection: AsyncConnection, limit: int, after: str = "") -> list[AccountRecord]:
    """In order of id, those past `after`."""
    statement = select(accounts).where(accounts.c.deleted.is_(False), accounts.c.id > after)
    rows = (await connection.execute(statement.order_by(accounts.c.id).limit(limit))).mappings()
    return await _records(connection, list(rows))


async def load_account(connection: AsyncConnection, account_id: str) -> AccountRecord | None:
    statement = select(accounts).where(accounts.c.deleted.is_(False), accounts.c.id == account_id)
    rows = (await connection.execute(statement)).mappings()
    return next(iter(await _records(connection, list(rows))), None)


async def unmatched_domains(connection: AsyncConnection, limit: int, after: str = "") -> list[UnmatchedDomain]:
    """Domains that wrote to us and belong to no account, in order of name, those past `after`."""
    claimed = exists().where(account_domains.c.domain == responses.c.requester_domain)
    statement = (
        select(
            responses.c.requester_domain,
            func.count(),
            func.count(responses.c.flagged_at),
            func.max(responses.c.received_at),
        )
        .where(responses.c.account_id.is_(None), responses.c.requester_domain > after, ~claimed)
        .group_by(responses.c.requester_domain)
        .order_by(responses.c.requester_domain)
        .limit(limit)
    )
    return [UnmatchedDomain(*row) for row in await connection.execute(statement)]


async def _records(connection: AsyncConnection, rows: Sequence[RowMapping]) -> list[AccountRecord]:
    ids = [row["id"] for row in rows]
    if not ids:
        return []
    domains: dict[str, list[str]] = defaultdict(list)
    for row in await connection.execute(
        select(account_domains).where(account_domains.c.account_id.in_(ids)).order_by(account_domains.c.domain)
    ):
        domains[row.account_id].append(row.domain)
    aliases: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in await connection.execute(
        select(account_aliases).where(account_aliases.c.account_id.in_(ids)).order_by(account_aliases.c.vendor_id)
    ):
        aliases[row.account_id][row.source].append(row.vendor_id)
    people: dict[str, list[ContactRecord]] = defaultdict(list)
    for row in await connection.execute(
        select(contacts).where(contacts.c.account_id.in_(ids)).order_by(contacts.c.email)
    ):
        people[row.account_id].append(ContactRecord(row.email, row.name, row.role))
    return [
        AccountRecord(
            **{name: row[name] for name in _PLAIN},
            domains=domains[row["id"]],
            aliases={source: list(found) for source, found in aliases[row["id"]].items()},
            contacts=people[row["id"]],
        )
        for row in rows
    ]
