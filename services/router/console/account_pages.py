"""Accounts as they are known, and the domains that answered surveys and belong to none."""

from starlette.requests import Request
from starlette.responses import Response

from services.router.api import cursors
from services.router.console.pages import Pages, cursor_of, with_query
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
            found = await list_accounts(connection, _PAGE + 1, cursor_of(request, cursors.decode_name) or "")
        shown, cursor = cursors.cut(found, _PAGE, lambda account: cursors.encode(account.id))
        more = with_query("/accounts", cursor=cursor) if cursor else None
        return self._pages.render("accounts.html", session, request, accounts=shown, more=more)

    async def unmatched(self, request: Request, session: Session) -> Response:
        async with self._database.read() as connection:
            found = await unmatched_domains(connection, _PAGE + 1, cursor_of(request, cursors.decode_name) or "")
        shown, cursor = cursors.cut(found, _PAGE, lambda item: cursors.encode(item.domain))
        more = with_query("/accounts/unmatched", cursor=cursor) if cursor else None
        return self._pages.render(
            "unmatched.html", session, request, domains=shown, free_mail=self._free_mail, more=more
        )
