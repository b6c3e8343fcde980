"""What is known of people in Slack: their ids, and who cannot be reached and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.tables import people
from shared.db import statements


@dataclass(frozen=True, slots=True)
class Person:
    """`away` is what the Slack status says of an absence, `away_until` its end where the status names one."""

    email: str
    slack_id: str | None
    dm_channel: str | None
    timezone: str | None
    unreachable: str | None
    checked_at: datetime
    away: str | None = None
    away_until: datetime | None = None


async def remember(connection: AsyncConnection, person: Person) -> None:
    values = {name: getattr(person, name) for name in Person.__slots__}
    statement = statements.insert(connection, people).values(**values)
    changed = {name: value for name, value in values.items() if name != "email"}
    await connection.execute(statement.on_conflict_do_update(index_elements=["email"], set_=changed))


async def find(connection: AsyncConnection, emails: Sequence[str]) -> dict[str, Person]:
    statement = select(people).where(people.c.email.in_(list(emails)))
    return {row["email"]: Person(**row) for row in (await connection.execute(statement)).mappings()}


async def slack_ids(connection: AsyncConnection, emails: Sequence[str]) -> dict[str, str]:
    return {email: person.slack_id for email, person in (await find(connection, emails)).items() if person.slack_id}


async def email_of(connection: AsyncConnection, slack_id: str) -> str | None:
    statement = select(people.c.email).where(people.c.slack_id == slack_id).order_by(people.c.checked_at.desc())
    return (await connection.execute(statement)).scalars().first()


async def unreachable(connection: AsyncConnection, since: datetime) -> dict[str, str]:
    """Everybody known to be unreachable, looked at no earlier than `since`: e-mail -> why."""
    statement = select(people.c.email, people.c.unreachable).where(
        people.c.unreachable.is_not(None), people.c.checked_at >= since
    )
    return {row.email: row.unreachable for row in await connection.execute(statement)}
