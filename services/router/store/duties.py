"""Whom the cases may come to: everybody an account, the policy, a cover or an open case names."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.domain.case import ENDED
from services.router.tables import accounts, cases, covers
from shared.policy import RoutingPolicy

_ROLES = ("csm", "csm_manager", "support_lead")


@dataclass
class Duties:
    """What one person is needed for; `accounts` are the ids of those that name them, in order."""

    email: str
    roles: set[str] = field(default_factory=set)
    accounts: list[str] = field(default_factory=list)


async def duties(connection: AsyncConnection, routing: RoutingPolicy, now: datetime) -> dict[str, Duties]:
    """By e-mail, in lower case. Roles are csm, csm_manager, support_lead, fallback_owner, cover and owner."""
    found: dict[str, Duties] = {}
    _add(found, "support_lead", [(routing.support_lead, None)])
    _add(found, "fallback_owner", [(routing.fallback_owner, None)])
    named = select(accounts.c.id, *(accounts.c[role] for role in _ROLES)).where(accounts.c.deleted.is_(False))
    for row in await connection.execute(named.order_by(accounts.c.id)):
        for role, email in zip(_ROLES, row[1:], strict=True):
            _add(found, role, [(email, row.id)])
    live = covers.c.ended_at.is_(None) & or_(covers.c.ends_at.is_(None), covers.c.ends_at > now)
    _add(found, "cover", [(email, None) for email in await _emails(connection, select(covers.c.cover).where(live))])
    ended = [status.value for status in ENDED]
    owned = select(cases.c.owner).where(cases.c.status.not_in(ended)).distinct()
    _add(found, "owner", [(email, None) for email in await _emails(connection, owned)])
    return found


async def _emails(connection: AsyncConnection, statement: object) -> list[str | None]:
    return list((await connection.execute(statement)).scalars())  # type: ignore[call-overload]


def _add(found: dict[str, Duties], role: str, named: Iterable[tuple[str | None, str | None]]) -> None:
    for email, account_id in named:
        key = (email or "").strip().lower()
        if not key:
            continue
        duty = found.setdefault(key, Duties(key))
        duty.roles.add(role)
        if account_id is not None and (not duty.accounts or duty.accounts[-1] != account_id):
            duty.accounts.append(account_id)
