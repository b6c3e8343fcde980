"""The console as routes of an app."""

from collections.abc import Callable, Sequence

from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from services.router.cases import Cases
from services.router.console.account_pages import AccountPages
from services.router.console.case_list import CaseList
from services.router.console.case_page import CasePage
from services.router.console.cover_page import CoverPage
from services.router.console.health_page import HealthPage
from services.router.console.pages import STATIC, Pages
from services.router.console.sign_in import SignIn
from services.router.console.sla_page import SlaPage
from services.router.console.sources_page import SourcesPage
from services.router.covering import Covering
from services.router.sessions import Sessions
from shared.runtime import Runtime


def routes(
    runtime: Runtime, cases: Cases, wake: Callable[[], None], sessions: Sessions | None = None
) -> Sequence[BaseRoute]:
    """`wake` is called after a commit that may have made notices; `sessions` are shared with the API."""
    database = runtime.database
    assert database is not None
    pages = Pages(sessions or Sessions(runtime), runtime.clock)
    sign_in = SignIn(pages)
    case_list = CaseList(runtime, pages, cases, database, wake)
    case_page = CasePage(runtime, pages, cases, database, wake)
    sla = SlaPage(runtime, pages, database)
    accounts = AccountPages(runtime, pages, database)
    health = HealthPage(runtime, pages, database)
    covers = CoverPage(runtime, pages, Covering(database, cases, runtime.policy, runtime.clock, wake), database)
    own = pages.signed_in
    return [
        Mount("/console/static", StaticFiles(directory=STATIC), name="console-static"),
        Route("/signin", pages.open(sign_in.show), methods=["GET"]),
        Route("/signin", pages.open(sign_in.submit), methods=["POST"]),
        Route("/signout", pages.open(sign_in.leave), methods=["POST"]),
        Route("/", own(case_list.show), methods=["GET"]),
        Route("/cases", own(case_list.show), methods=["GET"]),
        Route("/cases", own(case_list.open_by_hand), methods=["POST"]),
        Route("/cases/{case_id}", own(case_page.show), methods=["GET"]),
        Route("/cases/{case_id}/{command}", own(case_page.act), methods=["POST"]),
        Route("/sla", own(sla.show), methods=["GET"]),
        Route("/sla/cases", own(sla.cases), methods=["GET"]),
        Route("/accounts", own(accounts.known), methods=["GET"]),
        Route("/accounts/unmatched", own(accounts.unmatched), methods=["GET"]),
        Route("/covers", own(covers.show), methods=["GET"]),
        Route("/covers", own(covers.enter), methods=["POST"]),
        Route("/covers/{cover_id}/end", own(covers.end), methods=["POST"]),
        Route("/sources", own(SourcesPage(runtime, pages, database).show), methods=["GET"]),
        Route("/health", own(health.show), methods=["GET"]),
    ]
