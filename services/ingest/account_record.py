"""The account record as others give it to us: checked field by field, normalised, and made into its event."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from shared.errors import CloseloopError
from shared.events.catalog import AccountUpdated, Contact
from shared.free_mail import FREE_MAIL

Role = Literal["champion", "economic_buyer", "admin", "power_user", "end_user", "other"]

_EMAIL = re.compile(r"[^\s@<>,;\"]+@[^\s@<>,;\"/]+")
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")
_RESERVED = (".", "..", "unmatched")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class InvalidAccount(CloseloopError):
    """The record is refused; `errors` are (field, problem) pairs, and the text is all of them."""

    def __init__(self, errors: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{field}: {problem}" for field, problem in errors))
        self.errors = errors


def _wrong(problem: str) -> PydanticCustomError:
    return PydanticCustomError("account", "{problem}", {"problem": problem})


def _plain(text: str) -> str:
    if _CONTROL.search(text):
        raise _wrong("must not hold control characters")
    return text


def _addressable(account_id: str) -> str:
    """An id is a segment of /v1/accounts/{id}, beside /v1/accounts/unmatched. Vendors' ids, in aliases, are not."""
    if "/" in account_id or account_id in _RESERVED:
        raise _wrong(f"must not hold a slash or be one of {', '.join(_RESERVED)}, because it is part of an address")
    return account_id


def _email(text: str) -> str:
    if not _EMAIL.fullmatch(text):
        raise _wrong("must be an e-mail address")
    return text.lower()


def _domain(text: str, info: ValidationInfo) -> str:
    domain = text.lower().removesuffix(".")
    if "://" in domain or "/" in domain or "@" in domain:
        raise _wrong("must be a bare domain such as acme.com, without @, scheme or path")
    try:
        domain = domain.encode("idna").decode() if not domain.isascii() else domain
    except UnicodeError:
        raise _wrong("must be a domain such as acme.com") from None
    if not _DOMAIN.fullmatch(domain) or len(domain) > 253:
        raise _wrong("must be a domain such as acme.com")
    free_mail = (info.context or {}).get("free_mail", FREE_MAIL)
    if domain in free_mail:
        raise _wrong(f"{domain} is a free-mail domain and belongs to no company; name people as contacts instead")
    return domain


def _day(text: str) -> str:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        raise _wrong("must be a date like 2027-01-31")
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise _wrong("is not a date that exists") from None


def _number_as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _blank_is_none(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


_Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), AfterValidator(_plain)]
_PlainId = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_plain)
]
_Id = Annotated[_PlainId, BeforeValidator(_number_as_text)]
AccountId = Annotated[_Id, AfterValidator(_addressable)]
_Email = Annotated[str, StringConstraints(strip_whitespace=True, max_length=320), AfterValidator(_email)]
_Domain = Annotated[str, StringConstraints(strip_whitespace=True, max_length=300), AfterValidator(_domain)]
_OptionalText = Annotated[_Text | None, BeforeValidator(_blank_is_none)]
_OptionalEmail = Annotated[_Email | None, BeforeValidator(_blank_is_none)]
_Source = Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, pattern=r"^[A-Za-z0-9_-]{1,50}$")]


class ContactBody(BaseModel):
    """A person at the account; the role says whose word weighs how much."""

    model_config = ConfigDict(extra="forbid")

    email: _Email
    name: _OptionalText = None
    role: Role = "other"


class AccountBody(BaseModel):
    """The whole record: what is left out is empty afterwards. `arr` is in units of `currency` a year."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    name: _Text = ""
    domains: list[_Domain] = Field(default=[], max_length=500)
    tier: _OptionalText = None
    segment: _OptionalText = None
    arr: float | None = Field(default=None, ge=0, le=1e15)
    currency: Annotated[
        Annotated[str, StringConstraints(strip_whitespace=True, to_upper=True, pattern=r"^[A-Za-z]{3}$")] | None,
        BeforeValidator(_blank_is_none),
    ] = Field(default=None, description="ISO 4217, such as EUR")
    renewal_date: Annotated[
        Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_day)] | None,
        BeforeValidator(_blank_is_none),
    ] = Field(default=None, description="ISO 8601 date, such as 2027-01-31")
    csm: _OptionalEmail = None
    csm_manager: _OptionalEmail = None
    support_lead: _OptionalEmail = None
    aliases: dict[_Source, list[_Id]] = Field(default={}, description="Our customer's organisation ids, by source")
    contacts: list[ContactBody] = Field(default=[], max_length=10_000)


class AccountItem(AccountBody):
    """A record of a batch, with its id."""

    id: AccountId


def parse_account(
    account_id: str, record: Mapping[str, Any], now: datetime, free_mail: frozenset[str] = FREE_MAIL
) -> AccountUpdated:
    """The event of an account record as of `now`. Raises InvalidAccount with every problem, each by its field."""
    try:
        item = AccountItem.model_validate({**record, "id": account_id}, context={"free_mail": free_mail})
    except ValidationError as wrong:
        raise InvalidAccount(problems(wrong)) from None
    return to_event(item, now)


def problems(wrong: ValidationError) -> list[tuple[str, str]]:
    """(field, problem) for each error, without the values that were given."""
    return [
        (".".join(str(part) for part in error["loc"]) or "record", error["msg"])
        for error in wrong.errors(include_input=False, include_url=False, include_context=False)
    ]


def to_event(item: AccountItem, now: datetime) -> AccountUpdated:
    contacts = {one.email: Contact(email=one.email, name=one.name, role=one.role) for one in item.contacts}
    return AccountUpdated(
        changed_at=now,
        domains=list(dict.fromkeys(item.domains)),
        contacts=list(contacts.values()),
        **item.model_dump(exclude={"domains", "contacts"}),
    )
