"""Accounts, contacts and tickets: written from events, newer only; read to find an account and to show it."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Select, delete, func, insert, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.domain.case import Reply
from services.router.domain.matching import Clues, Found
from services.router.domain.view import AccountView
from services.router.tables import account_aliases, account_domains, accounts, contacts, responses, tickets
from shared.db import statements
from shared.events.catalog import AccountUpdated, TicketChanged

_ALIVE = accounts.c.deleted.is_(False)
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


async def put_account(connection: AsyncConnection, account: AccountUpdated) -> bool:
    """False when a newer record is here already."""
    values: dict[str, Any] = {
        "name": account.name or account.id,
        "tier": account.tier,
        "segment": account.segment,
        "arr": account.arr,
        "currency": account.currency,
        "renewal_date": date.fromisoformat(account.renewal_date) if account.renewal_date else None,
        "csm": account.csm,
        "csm_manager": account.csm_manager,
        "support_lead": account.support_lead,
        "deleted": account.deleted,
        "changed_at": account.changed_at,
    }
    statement = statements.insert(connection, accounts).values(id=account.id, **values)
    newer = statement.excluded.changed_at >= accounts.c.changed_at
    result = await connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values, where=newer))
    if not result.rowcount:
        return False
    await _replace_clues(connection, account)
    return True


async def _replace_clues(connection: AsyncConnection, account: AccountUpdated) -> None:
    for table in (account_domains, account_aliases, contacts):
        await connection.execute(delete(table).where(table.c.account_id == account.id))
    if account.deleted:
        return
    domains = [{"domain": domain} for domain in dict.fromkeys(account.domains)]
    aliases = [{"source": s, "vendor_id": v} for s, ids in account.aliases.items() for v in dict.fromkeys(ids)]
    people = {item.email: {"email": item.email, "name": item.name, "role": item.role} for item in account.contacts}
    for table, rows in ((account_domains, domains), (account_aliases, aliases), (contacts, list(people.values()))):
        if rows:
            await connection.execute(insert(table), [{"account_id": account.id, **row} for row in rows])


async def put_ticket(connection: AsyncConnection, ticket: TicketChanged, changed_at: datetime) -> str | None:
    """Store the ticket unless a newer state is here. Returns the status it had before, None for a new ticket or one
    that was not changed. Fields the vendor left out keep what was known."""
    key = (tickets.c.source == ticket.source) & (tickets.c.ticket_id == ticket.ticket_id)
    before = (await connection.execute(select(tickets).where(key).with_for_update())).mappings().first()
    reply = _newer_reply(before, ticket)
    if before is not None and reply and (ticket.ticket_status is None or before["changed_at"] > changed_at):
        # A reply alone says nothing of the status: it must not make an old one look new.
        await connection.execute(update(tickets).where(key).values(**reply))
        return None
    if before is not None and before["changed_at"] > changed_at:
        return None
    told: dict[str, Any] = {
        "status": ticket.ticket_status,
        "subject": ticket.subject,
        "url": ticket.ticket_url,
        "requester_email": ticket.requester_email,
        "requester_name": ticket.requester_name,
        "assignee": ticket.assignee,
    }
    values = {name: value for name, value in told.items() if value is not None}
    values |= {"changed_at": changed_at, "account_hint": ticket.account_hint, **reply}
    if before is not None:
        values["account_hint"] = {**before["account_hint"], **ticket.account_hint}
        await connection.execute(update(tickets).where(key).values(**values))
        return before["status"]
    if ticket.ticket_status is None:
        # Helpdesks tell a reply and the status it came with in either order: any status is news after a reply alone.
        values["changed_at"] = _NEVER
    await connection.execute(insert(tickets).values(source=ticket.source, ticket_id=ticket.ticket_id, **values))
    return None


def _newer_reply(before: RowMapping | None, ticket: TicketChanged) -> dict[str, Any]:
    """Replies are kept whatever the order of arrival: the latest counts."""
    known = before["replied_at"] if before is not None else None
    if ticket.replied_at is None or (known is not None and known >= ticket.replied_at):
        return {}
    return {"replied_at": ticket.replied_at, "replied_by": (ticket.replied_by or "")[:320] or None}


async def last_reply(connection: AsyncConnection, case_id: str) -> Reply | None:
    """The last public reply or call by our side on any ticket of the case's responses."""
    same = (tickets.c.source == responses.c.source) & (tickets.c.ticket_id == responses.c.ticket_id)
    statement = (
        select(tickets.c.replied_at, tickets.c.source, tickets.c.replied_by)
        .join(responses, same)
        .where(responses.c.case_id == case_id, tickets.c.replied_at.is_not(None))
        .order_by(tickets.c.replied_at.desc())
        .limit(1)
    )
    row = (await connection.execute(statement)).first()
    return Reply(row.replied_at, row.source, row.replied_by) if row is not None else None


async def ticket_of(connection: AsyncConnection, source: str, ticket_id: str | None) -> RowMapping | None:
    if ticket_id is None:
        return None
    statement = select(tickets).where(tickets.c.source == source, tickets.c.ticket_id == ticket_id)
    return (await connection.execute(statement)).mappings().first()


async def find(connection: AsyncConnection, clues: Clues) -> Found:
    """The accounts that claim each clue. At most four small indexed queries."""
    return Found(
        own_ids=await _claims(
            connection, clues.own_ids, select(accounts.c.id, accounts.c.id).where(_ALIVE), accounts.c.id
        ),
        vendor_ids=await _claims(
            connection,
            clues.vendor_ids,
            select(account_aliases.c.vendor_id, account_aliases.c.account_id).where(
                account_aliases.c.source == clues.source
            ),
            account_aliases.c.vendor_id,
        ),
        emails=await _claims(
            connection, clues.emails, select(contacts.c.email, contacts.c.account_id), contacts.c.email
        ),
        domains=await _claims(
            connection,
            clues.domains,
            select(account_domains.c.domain, account_domains.c.account_id),
            account_domains.c.domain,
        ),
    )


async def _claims(
    connection: AsyncConnection, keys: Sequence[str], statement: Select[Any], column: Any
) -> dict[str, list[str]]:
    if not keys:
        return {}
    return _grouped(await connection.execute(statement.where(column.in_(keys))))


def _grouped(rows: Iterable[Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, account_id in rows:
        found.setdefault(key, []).append(account_id)
    return found


async def account_view(connection: AsyncConnection, account_id: str | None) -> AccountView | None:
    if account_id is None:
        return None
    return (await account_views(connection, [account_id])).get(account_id)


async def account_views(connection: AsyncConnection, account_ids: Sequence[str]) -> dict[str, AccountView]:
    statement = select(accounts).where(accounts.c.id.in_(account_ids), _ALIVE)
    names = AccountView.__slots__
    return {
        row["id"]: AccountView(**{name: row[name] for name in names})
        for row in (await connection.execute(statement)).mappings()
    }


async def contact_role(connection: AsyncConnection, account_id: str | None, email: str | None) -> str | None:
    if account_id is None or email is None:
        return None
    statement = select(contacts.c.role).where(contacts.c.account_id == account_id, contacts.c.email == email)
    return (await connection.execute(statement)).scalar_one_or_none()


async def disputed_domains(connection: AsyncConnection) -> dict[str, list[str]]:
    """Domains claimed by two or more accounts; `doctor` lists them."""
    twice = (
        select(account_domains.c.domain)
        .group_by(account_domains.c.domain)
        .having(func.count(account_domains.c.account_id) > 1)
    )
    statement = select(account_domains.c.domain, account_domains.c.account_id).where(
        account_domains.c.domain.in_(twice)
    )
    return _grouped(await connection.execute(statement))


async def adopt_responses(connection: AsyncConnection, account: AccountUpdated) -> None:
    """Responses of before the account was known count for it from now on."""
    if account.domains:
        await connection.execute(
            update(responses)
            .where(responses.c.account_id.is_(None), responses.c.requester_domain.in_(account.domains))
            .values(account_id=account.id)
        )
