"""Accounts as they are known, and the domains that answered surveys and belong to none."""

from starlette.requests import Request
from starlette.responses import Response

from services.router.api import cursors
from services.router.console.pages import Pages, with_query
from services.router.domain.matching import FREE_MAIL
from services.router.sessions import Session
from services.router.store.accounts import list_accounts, unmatched_domains
from shared.db.engine import Database
from shared.runtime import Runtime

_PAGE = 100


class AccountPages:
    def __init__(self, runtime: Runtime, pages: Pages, database: Database) -> None:
        self._pages = pages
        self._database = database
        self._free_mail = FREE_MAIL | frozenset(runtime.policy.routing.free_mail_domains)

    async def known(self, request: Request, session: Session) -> Response:
        async with self._database.read() as connection:
            found = await list_accounts(connection, _PAGE + 1, _after(request))
        more = with_query("/accounts", cursor=cursors.encode(found[_PAGE - 1].id)) if len(found) > _PAGE else None
        return self._pages.render("accounts.html", session, request, accounts=found[:_PAGE], more=more)

    async def unmatched(self, request: Request, session: Session) -> Response:
        async with self._database.read() as connection:
            found = await unmatched_domains(connection, _PAGE + 1, _after(request))
        next_ = cursors.encode(found[_PAGE - 1].domain) if len(found) > _PAGE else None
        more = with_query("/accounts/unmatched", cursor=next_) if next_ else None
        return self._pages.render(
            "unmatched.html", session, request, domains=found[:_PAGE], free_mail=self._free_mail, more=more
        )


def _after(request: Request) -> str:
    try:
        return cursors.decode(request.query_params.get("cursor", ""), 1)[0]
    except cursors.BadCursor:
        return ""
