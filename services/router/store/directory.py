"""Accounts, contacts and tickets: written from events, newer only; read to find an account and to show it."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Select, bindparam, delete, exists, func, insert, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.domain.case import Reply
from services.router.domain.matching import Clues, Found
from services.router.domain.view import AccountView
from services.router.tables import account_aliases, account_domains, accounts, contacts, responses, tickets
from shared.db.statements import Upsert
from shared.events.catalog import AccountUpdated, SurveyResponded, TicketChanged

_ALIVE = accounts.c.deleted.is_(False)
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_PUT_ACCOUNT = Upsert(
    accounts,
    lambda insert: insert.on_conflict_do_update(
        index_elements=["id"],
        set_={column.name: insert.excluded[column.name] for column in accounts.c if column.name != "id"},
        where=insert.excluded.changed_at >= accounts.c.changed_at,
    ),
)
_TICKET = select(tickets).where(tickets.c.source == bindparam("source"), tickets.c.ticket_id == bindparam("ticket"))
_TICKET_LOCKED = _TICKET.with_for_update()
_ADD_TICKET = insert(tickets)
_CHANGE_TICKET = update(tickets).where(
    tickets.c.source == bindparam("of_source"), tickets.c.ticket_id == bindparam("of_ticket")
)
_NOTE_TICKET = Upsert(
    tickets,
    lambda insert: insert.on_conflict_do_update(
        index_elements=["source", "ticket_id"],
        set_={"status": insert.excluded.status, "changed_at": insert.excluded.changed_at},
        where=tickets.c.changed_at < insert.excluded.changed_at,
    ),
)
_VIEWS = select(*(accounts.c[name] for name in AccountView.__slots__)).where(
    accounts.c.id.in_(bindparam("ids", expanding=True)), _ALIVE
)
_ROLES = select(contacts.c.account_id, contacts.c.email, contacts.c.role).where(
    contacts.c.account_id.in_(bindparam("ids", expanding=True)),
    contacts.c.email.in_(bindparam("emails", expanding=True)),
)


def _claims_of(key: Any, account_id: Any) -> Select[Any]:
    return select(key, account_id).where(key.in_(bindparam("keys", expanding=True)))


_BY_OWN_ID = _claims_of(accounts.c.id, accounts.c.id).where(_ALIVE)
_BY_EMAIL = _claims_of(contacts.c.email, contacts.c.account_id)
_BY_DOMAIN = _claims_of(account_domains.c.domain, account_domains.c.account_id)
_BY_VENDOR_ID = (
    _claims_of(account_aliases.c.vendor_id, account_aliases.c.account_id)
    .add_columns(account_aliases.c.source)
    .where(account_aliases.c.source.in_(bindparam("sources", expanding=True)))
)


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
    result = await connection.execute(_PUT_ACCOUNT.on(connection), {"id": account.id, **values})
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
    key = {"of_source": ticket.source, "of_ticket": ticket.ticket_id}
    named = {"source": ticket.source, "ticket": ticket.ticket_id}
    before = (await connection.execute(_TICKET_LOCKED, named)).mappings().first()
    reply = _newer_reply(before, ticket)
    if before is not None and reply and (ticket.ticket_status is None or before["changed_at"] > changed_at):
        # A reply alone says nothing of the status: it must not make an old one look new.
        await connection.execute(_CHANGE_TICKET, {**key, **reply})
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
        await connection.execute(_CHANGE_TICKET, {**key, **values})
        return before["status"]
    if ticket.ticket_status is None:
        # Helpdesks tell a reply and the status it came with in either order: any status is news after a reply alone.
        values["changed_at"] = _NEVER
    await connection.execute(_ADD_TICKET, {"source": ticket.source, "ticket_id": ticket.ticket_id, **values})
    return None


async def note_tickets(connection: AsyncConnection, answers: Iterable[SurveyResponded]) -> None:
    """What ratings say of their tickets' state, unless something newer is known: where no webhook told that one was
    ended, the rating did, and a later opening is a reopening."""
    rows = [
        {
            "source": answer.source,
            "ticket_id": answer.ticket_id,
            "status": answer.ticket_status,
            "changed_at": answer.occurred_at or answer.received_at,
            "account_hint": {},
        }
        for answer in answers
        if answer.ticket_id is not None and answer.ticket_status is not None
    ]
    if rows:
        await connection.execute(_NOTE_TICKET.on(connection), rows)


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
    return (await connection.execute(_TICKET, {"source": source, "ticket": ticket_id})).mappings().first()


async def find_each(connection: AsyncConnection, many: Sequence[Clues]) -> list[Found]:
    """The accounts that claim each clue. At most four small indexed queries, however many ask."""
    own_ids = _grouped(await _claims(connection, _BY_OWN_ID, (clues.own_ids for clues in many)))
    emails = _grouped(await _claims(connection, _BY_EMAIL, (clues.emails for clues in many)))
    domains = _grouped(await _claims(connection, _BY_DOMAIN, (clues.domains for clues in many)))
    sources = sorted({clues.source for clues in many})
    aliases = await _claims(connection, _BY_VENDOR_ID, (clues.vendor_ids for clues in many), sources=sources)
    vendor_ids = {
        source: _grouped((vendor_id, account_id) for vendor_id, account_id, of in aliases if of == source)
        for source in sources
    }
    return [Found(own_ids, vendor_ids[clues.source], emails, domains) for clues in many]


async def _claims(
    connection: AsyncConnection, statement: Select[Any], keys: Iterable[Iterable[str]], **more: Any
) -> Sequence[Any]:
    wanted = sorted({key for some in keys for key in some})
    return (await connection.execute(statement, {"keys": wanted, **more})).all() if wanted else ()


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
    if not account_ids:
        return {}
    return {row.id: AccountView(*row) for row in await connection.execute(_VIEWS, {"ids": account_ids})}


async def contact_role(connection: AsyncConnection, account_id: str | None, email: str | None) -> str | None:
    if account_id is None or email is None:
        return None
    return (await contact_roles(connection, [(account_id, email)])).get((account_id, email))


async def contact_roles(
    connection: AsyncConnection, contacts_of: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """By account and e-mail."""
    if not contacts_of:
        return {}
    asked = {"ids": sorted({of for of, _ in contacts_of}), "emails": sorted({email for _, email in contacts_of})}
    return {(row.account_id, row.email): row.role for row in await connection.execute(_ROLES, asked)}


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
    """Responses of before the account was known count for it from now on, but for domains that others claim too."""
    if account.domains:
        same = account_domains.c.domain == responses.c.requester_domain
        disputed = exists().where(same, account_domains.c.account_id != account.id)
        await connection.execute(
            update(responses)
            .where(responses.c.account_id.is_(None), responses.c.requester_domain.in_(account.domains), ~disputed)
            .values(account_id=account.id)
        )
