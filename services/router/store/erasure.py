"""Erasing a customer's person: free text, name and address go; scores, times and the hash chain stay (G10)."""

from dataclasses import dataclass

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.tables import contacts, responses, texts, tickets


@dataclass(frozen=True, slots=True)
class Erased:
    """How much was found of the person."""

    responses: int
    texts: int
    tickets: int
    contacts: int


async def erase_person(connection: AsyncConnection, email: str) -> Erased:
    """Everything kept under this e-mail address, in the caller's transaction. The chain holds only salted digests of
    the texts; the salts go with them, so that nobody can guess what was written. Doing it twice is no error."""
    address = email.strip().lower()
    theirs = func.lower(responses.c.requester_email) == address
    answers = list((await connection.execute(select(responses.c.id).where(theirs))).scalars())
    nameless = {"requester_email": None, "requester_name": None}
    written = await connection.execute(
        update(texts).where(texts.c.response_id.in_(answers), texts.c.body.is_not(None)).values(body=None, salt="")
    )
    await connection.execute(update(responses).where(responses.c.id.in_(answers)).values(**nameless))
    asked = await connection.execute(
        update(tickets).where(func.lower(tickets.c.requester_email) == address).values(**nameless, subject=None)
    )
    known = await connection.execute(delete(contacts).where(func.lower(contacts.c.email) == address))
    return Erased(len(answers), written.rowcount, asked.rowcount, known.rowcount)
