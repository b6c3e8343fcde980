"""What is known of people in Slack: their ids, and who cannot be reached and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.tables import people
from shared.db.statements import Upsert


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


_REMEMBER = Upsert(
    people,
    lambda insert: insert.on_conflict_do_update(
        index_elements=["email"],
        set_={name: insert.excluded[name] for name in Person.__slots__ if name != "email"},
    ),
)
_FIND = select(*(people.c[name] for name in Person.__slots__)).where(
    people.c.email.in_(bindparam("emails", expanding=True))
)
_UNREACHABLE = select(people.c.email, people.c.unreachable).where(
    people.c.unreachable.is_not(None), people.c.checked_at >= bindparam("since")
)


async def remember(connection: AsyncConnection, person: Person) -> None:
    await connection.execute(_REMEMBER.on(connection), {name: getattr(person, name) for name in Person.__slots__})


async def find(connection: AsyncConnection, emails: Sequence[str]) -> dict[str, Person]:
    return {row.email: Person(*row) for row in await connection.execute(_FIND, {"emails": list(emails)})}


async def slack_ids(connection: AsyncConnection, emails: Sequence[str]) -> dict[str, str]:
    return {email: person.slack_id for email, person in (await find(connection, emails)).items() if person.slack_id}


async def email_of(connection: AsyncConnection, slack_id: str) -> str | None:
    statement = select(people.c.email).where(people.c.slack_id == slack_id).order_by(people.c.checked_at.desc())
    return (await connection.execute(statement)).scalars().first()


async def unreachable(connection: AsyncConnection, since: datetime) -> dict[str, str]:
    """Everybody known to be unreachable, looked at no earlier than `since`: e-mail -> why."""
    return {row.email: row.unreachable for row in await connection.execute(_UNREACHABLE, {"since": since})}
