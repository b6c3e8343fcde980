"""Which account a response or ticket belongs to: vendor org id, contact e-mail, e-mail domain, in that order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.free_mail import FREE_MAIL

_OUR_IDS = ("account_id", "external_id", "organization_external_id")
_VENDOR_IDS = ("organization_id", *_OUR_IDS)


@dataclass(frozen=True, slots=True)
class Clues:
    """What may find an account. `vendor_account_id`, `brand_id` and the like name OUR helpdesk and are not clues."""

    source: str
    own_ids: tuple[str, ...] = ()
    vendor_ids: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What the directory knows of the clues: clue -> the ids of the accounts that claim it."""

    own_ids: Mapping[str, Sequence[str]] = field(default_factory=dict)
    vendor_ids: Mapping[str, Sequence[str]] = field(default_factory=dict)
    emails: Mapping[str, Sequence[str]] = field(default_factory=dict)
    domains: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match:
    """`account_id` is None when nobody, or more than one account, claims the clue; `words` say how or why not."""

    account_id: str | None
    words: str


def domain_of(email: str | None) -> str | None:
    _, at, domain = (email or "").strip().lower().rpartition("@")
    return domain.rstrip(".") or None if at else None


def clues_of(source: str, hint: Mapping[str, Any], email: str | None, free_mail: frozenset[str] = FREE_MAIL) -> Clues:
    emails = _texts(email)
    domains = [d for d in (domain_of(email), *_texts(hint.get("domain"))) if d]
    return Clues(
        source=source,
        own_ids=_texts(*(hint.get(key) for key in _OUR_IDS), lower=False),
        vendor_ids=_texts(*(hint.get(key) for key in _VENDOR_IDS), lower=False),
        emails=emails,
        domains=tuple(dict.fromkeys(domain for domain in domains if domain not in free_mail)),
    )


def match(clues: Clues, found: Found) -> Match:
    """The first clue, in order, that exactly one account claims. A clue claimed by two is never guessed."""
    steps = (
        ("vendor organisation id", clues.vendor_ids, found.vendor_ids),
        ("account id", clues.own_ids, found.own_ids),
        ("contact e-mail", clues.emails, found.emails),
        ("e-mail domain", clues.domains, found.domains),
    )
    for words, keys, known in steps:
        for key in keys:
            claims = sorted(set(known.get(key, ())))
            if len(claims) == 1:
                return Match(claims[0], words)
            if claims:
                return Match(None, f"{words} {key} is claimed by the accounts {', '.join(claims)}")
    return Match(None, _nobody(clues))


def orphan_key(clues: Clues, record: str) -> str:
    """What joins responses of one unknown company: its vendor id, its domain, the person, or only the record."""
    if clues.vendor_ids:
        return f"unknown:{clues.source}:{clues.vendor_ids[0]}"[:400]
    for found in (clues.domains, clues.emails):
        if found:
            return f"unknown:{found[0]}"[:400]
    return f"unknown:{clues.source}:record:{record}"[:400]


def _nobody(clues: Clues) -> str:
    if clues.domains:
        return f"no account claims the domain {clues.domains[0]}"
    if clues.emails:
        return "the customer wrote from a free-mail address no account lists as a contact"
    if clues.vendor_ids:
        return f"no account has the {clues.source} organisation {clues.vendor_ids[0]}"
    return "the event names no organisation and no e-mail"


def _texts(*values: Any, lower: bool = True) -> tuple[str, ...]:
    found = []
    for value in values:
        if isinstance(value, (str, int)) and not isinstance(value, bool) and str(value).strip():
            text = str(value).strip()[:320]
            found.append(text.lower() if lower else text)
    return tuple(dict.fromkeys(found))
