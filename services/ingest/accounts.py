"""PUT /v1/accounts/{id} and POST /v1/accounts: account records, whole, from a CRM or by hand."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.convertors import StringConvertor, register_url_convertor

from services.ingest.account_record import AccountBody, AccountId, AccountItem, InvalidAccount, parse_account
from services.ingest.documented import ADMIN_TOKEN, refusals
from shared.auth import AdminAuth
from shared.events.catalog import AccountUpdated, account_updated
from shared.events.envelope import to_record
from shared.free_mail import FREE_MAIL
from shared.runtime import Runtime
from shared.web import unauthorized

log = structlog.get_logger(__name__)

MAX_BATCH = 1000
_REFUSALS = refusals(400, 401, 413, 422, 503)


class _Anything(StringConvertor):
    """Slashes and line breaks too, so that an id with one is refused in words and is not a missing page."""

    regex = r"[\s\S]*"


register_url_convertor("anything", _Anything())


class PutBody(AccountBody):
    """The whole record; an id in it must be the one of the path."""

    id: AccountId | None = None


class Batch(BaseModel):
    """Up to 1000 records, in `items` or as a bare list. All are taken, or none and every problem is named."""

    model_config = ConfigDict(extra="forbid")

    items: list[AccountItem] = Field(max_length=MAX_BATCH)


class Accepted(BaseModel):
    """How many records the log has for good, and the ids of their accounts."""

    accepted: int
    ids: list[str]


def router(runtime: Runtime, auth: AdminAuth) -> APIRouter:
    """The doors for account records, with the admin token."""
    routes = APIRouter(prefix="/v1/accounts", tags=["accounts"], route_class=_guarded_by(auth))
    free_mail = FREE_MAIL | {domain.strip().lower() for domain in runtime.policy.routing.free_mail_domains}

    @routes.put("/{account_id:anything}", status_code=202, responses=_REFUSALS, dependencies=[ADMIN_TOKEN])
    async def put_account(account_id: AccountId, record: PutBody) -> Accepted:
        """Replace one account record; what is left out is empty afterwards."""
        if record.id not in (None, account_id):
            raise RequestValidationError([{"loc": ("body", "id"), "msg": "is not the id of the path"}])
        return await _accept(runtime, _parsed(account_id, record, ("body",)))

    @routes.post("", status_code=202, responses=_REFUSALS, dependencies=[ADMIN_TOKEN])
    async def post_accounts(batch: Annotated[Batch, BeforeValidator(_as_batch)]) -> Accepted:
        """Replace many account records: all of them, or none."""
        _refuse_twice(batch.items)
        updates = [
            update
            for place, item in enumerate(batch.items)
            for update in _parsed(item.id, item, ("body", "items", place))
        ]
        return await _accept(runtime, updates)

    def _parsed(account_id: str, record: AccountBody, at: tuple[str | int, ...]) -> list[AccountUpdated]:
        try:
            return [parse_account(account_id, record.model_dump(), runtime.clock.now(), free_mail)]
        except InvalidAccount as wrong:
            raise RequestValidationError(
                [{"loc": (*at, *field.split(".")), "msg": problem} for field, problem in wrong.errors]
            ) from None

    return routes


async def _accept(runtime: Runtime, updates: Sequence[AccountUpdated]) -> Accepted:
    if updates:
        await runtime.bus.publish([to_record(account_updated(update)) for update in updates])
    ids = [update.id for update in updates]
    log.info("accounts", accepted=len(ids), ids=ids[:20])
    return Accepted(accepted=len(ids), ids=ids)


def _as_batch(value: Any) -> Any:
    return {"items": value} if isinstance(value, list) else value


def _refuse_twice(items: Sequence[AccountItem]) -> None:
    seen: set[str] = set()
    for place, item in enumerate(items):
        if item.id in seen:
            raise RequestValidationError([{"loc": ("body", "items", place, "id"), "msg": "is in the batch twice"}])
        seen.add(item.id)


def _guarded_by(auth: AdminAuth) -> type[APIRoute]:
    """A route that asks for the token first, before FastAPI reads the body."""

    class GuardedRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handler = super().get_route_handler()

            async def guarded(request: Request) -> Response:
                return await handler(request) if auth.allows(request) else unauthorized()

            return guarded

    return GuardedRoute
