"""Who may enter the doors that are not webhooks: the admin token, compared in constant time."""

import hmac
from pathlib import Path

from pydantic import SecretStr
from starlette.requests import Request

from shared import ids, private_files
from shared.errors import ConfigurationError
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
    (readable by its owner only). Raises ConfigurationError when that is empty."""
    if settings.auth.admin_token is not None:
        return settings
    kept = (
        file.read_text(encoding="utf-8") if file.exists() else private_files.write_first(file, ids.new_secret() + "\n")
    )
    if not (token := kept.strip()):
        raise ConfigurationError(f"{file} is empty: delete it, and the next start makes a new token")
    auth = settings.auth.model_copy(update={"admin_token": SecretStr(token)})
    return settings.model_copy(update={"auth": auth})
