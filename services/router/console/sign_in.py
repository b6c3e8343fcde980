"""Signing in: a one-time URL or the admin token, and the e-mail that the journal will name."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.router.console.pages import SECURITY, Pages, own_path
from services.router.sessions import is_email

_MOST_FIELDS = 10


class SignIn:
    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._sessions = pages.sessions

    async def show(self, request: Request) -> Response:
        """The form. A code is not used up by looking, so that a mail scanner or a preview cannot spend it."""
        if self._sessions.of(request) is not None:
            return RedirectResponse(own_path(request.query_params.get("next", "/")), 303, SECURITY)
        asked = request.query_params
        return self._form(request, code=asked.get("code", ""), next_=asked.get("next"), unsent="unsent" in asked)

    async def submit(self, request: Request) -> Response:
        form = await request.form(max_files=0, max_fields=_MOST_FIELDS)
        code, token = str(form.get("code", "")), str(form.get("token", ""))
        email, next_ = str(form.get("email", "")).strip().lower(), str(form.get("next", "/"))
        client = request.client.host if request.client else "unknown"
        # A one-time code cannot be guessed: whoever holds one is not kept out by somebody guessing tokens.
        if token and self._sessions.attempts.exhausted(client):
            return self._form(request, 429, code, next_, email, "Too many wrong attempts. Wait five minutes.")
        if not is_email(email):
            return self._form(request, 422, code, next_, email, "Write your e-mail address: the journal will name you.")
        if not (self._sessions.accept_token(token) if token else await self._sessions.accept_code(code)):
            if token:
                self._sessions.attempts.failed(client)
            wrong = "This is not the admin token." if token else "This sign-in link was used before or is too old."
            return self._form(request, 401, "", next_, email, wrong)
        response = RedirectResponse(own_path(next_), 303, SECURITY)
        self._sessions.begin(response, email)
        return response

    async def leave(self, request: Request) -> Response:
        session = self._sessions.of(request)
        form = await request.form(max_files=0, max_fields=_MOST_FIELDS)
        if session is not None and not session.allows(str(form.get("csrf", ""))):
            return self._pages.refused(session, request)
        response = RedirectResponse("/signin", 303, SECURITY)
        self._sessions.end(response)
        return response

    def _form(
        self,
        request: Request,
        status: int = 200,
        code: str = "",
        next_: str | None = None,
        email: str = "",
        wrong: str = "",
        unsent: bool = False,
    ) -> Response:
        values = {"code": code, "next": own_path(next_ or "/"), "email": email, "wrong": wrong, "unsent": unsent}
        return self._pages.render("sign_in.html", None, request, status, **values)
