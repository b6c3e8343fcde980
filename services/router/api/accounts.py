"""The account doors that belong to the router: what is known, what is missing, and the end of an account."""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException

from services.router.api import cursors
from services.router.api.cases import WhoCalls
from services.router.api.doors import Caller
from services.router.api.fields import AccountId, Limit, Name, problems
from services.router.api.schemas import AccountOut, DeletionAccepted, Page, UnmatchedOut
from services.router.store import accounts
from shared.bus.base import Bus
from shared.clock import Clock
from shared.db.engine import Database
from shared.events.catalog import AccountUpdated, account_updated
from shared.events.envelope import to_record


def account_router(database: Database, bus: Bus, clock: Clock, who_calls: WhoCalls) -> APIRouter:
    router = APIRouter(tags=["accounts"])

    @router.get("/v1/accounts", responses=problems(_422="The cursor is wrong."))
    async def list_all(_: Annotated[Caller, Depends(who_calls)], after: Name, limit: Limit = 50) -> Page[AccountOut]:
        """Accounts in order of id."""
        async with database.read() as connection:
            found = await accounts.list_accounts(connection, limit + 1, after)
        shown, more = cursors.cut(found, limit, lambda account: cursors.encode(account.id))
        return Page(items=[AccountOut.model_validate(account) for account in shown], next_cursor=more)

    # Before /{account_id}, or "unmatched" would be taken for an account.
    @router.get("/v1/accounts/unmatched", responses=problems(_422="The cursor is wrong."))
    async def unmatched(
        _: Annotated[Caller, Depends(who_calls)], after: Name, limit: Limit = 100
    ) -> Page[UnmatchedOut]:
        """E-mail domains that answered surveys and belong to no account: whom to add, or to ignore."""
        async with database.read() as connection:
            found = await accounts.unmatched_domains(connection, limit + 1, after)
        shown, more = cursors.cut(found, limit, lambda item: cursors.encode(item.domain))
        return Page(items=[UnmatchedOut.model_validate(item) for item in shown], next_cursor=more)

    @router.get("/v1/accounts/{account_id}", responses=problems(_404="No such account."))
    async def one(account_id: AccountId, _: Annotated[Caller, Depends(who_calls)]) -> AccountOut:
        async with database.read() as connection:
            record = await accounts.load_account(connection, account_id)
        if record is None:
            raise HTTPException(404, f"There is no account {account_id}.")
        return AccountOut.model_validate(record)

    @router.delete(
        "/v1/accounts/{account_id}", status_code=202, responses=problems(_403="A session without its CSRF token.")
    )
    async def delete(account_id: AccountId, _: Annotated[Caller, Depends(who_calls)]) -> DeletionAccepted:
        """The account's end goes through the log like every change; its cases stay. Deleting twice is no error."""
        event = account_updated(AccountUpdated(id=account_id, changed_at=clock.now(), deleted=True))
        await bus.publish([to_record(event)])
        return DeletionAccepted(ids=[event.id])

    return router
