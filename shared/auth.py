"""Who may enter the doors that are not webhooks: the admin token, compared in constant time."""

import hmac
import os
from pathlib import Path

from pydantic import SecretStr
from starlette.requests import Request

from shared import ids
from shared.settings import Settings

TOKEN_FILE = Path("var/admin-token")


def bearer(request: Request) -> str:
    """The token of `Authorization: Bearer ...`, or an empty string."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def matches(given: str, expected: str) -> bool:
    return bool(given) and hmac.compare_digest(given.encode(), expected.encode())


class AdminAuth:
    """Checks the bearer token of a request."""

    def __init__(self, settings: Settings) -> None:
        if settings.auth.admin_token is None:
            raise ValueError("the composition must call with_admin_token() first")
        self._token = settings.auth.admin_token.get_secret_value()

    @property
    def token(self) -> str:
        return self._token

    def allows(self, request: Request) -> bool:
        return matches(bearer(request), self._token)


def with_admin_token(settings: Settings, file: Path = TOKEN_FILE) -> Settings:
    """The settings with an admin token: the one that is set, else the one kept in `file`, else a new one kept there
    (readable by its owner only)."""
    if settings.auth.admin_token is not None:
        return settings
    token = file.read_text().strip() if file.exists() else _create(file)
    auth = settings.auth.model_copy(update={"admin_token": SecretStr(token)})
    return settings.model_copy(update={"auth": auth})


def _create(file: Path) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    token = ids.new_secret()
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return file.read_text().strip()
    with os.fdopen(handle, "w") as out:
        out.write(token + "\n")
    return token
