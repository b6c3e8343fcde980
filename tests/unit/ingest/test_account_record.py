"""Account records: normalised when they are right, refused by field when they are not."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.ingest.account_record import InvalidAccount, parse_account
from shared.events.catalog import AccountUpdated, Contact
from shared.free_mail import FREE_MAIL

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def parse(**record: Any) -> AccountUpdated:
    return parse_account("acme", record, NOW)


def refused(**record: Any) -> dict[str, str]:
    with pytest.raises(InvalidAccount) as caught:
        parse(**record)
    return dict(caught.value.errors)


def test_a_whole_record_is_normalised() -> None:
    account = parse(
        name=" Acme GmbH ",
        domains=["ACME.com", "acme.com.", "müller.example"],
        tier="gold",
        segment="",
        arr="125000.5",
        currency="eur",
        renewal_date="2027-01-31",
        csm=" Jo@Acme.Example ",
        aliases={"Zendesk": [8447346622462, "x"]},
        contacts=[
            {"email": "Mia@Nordwind.example", "role": "champion"},
            {"email": "mia@nordwind.example", "name": "M"},
        ],
    )
    assert account == AccountUpdated(
        id="acme",
        changed_at=NOW,
        name="Acme GmbH",
        domains=["acme.com", "xn--mller-kva.example"],
        tier="gold",
        arr=125000.5,
        currency="EUR",
        renewal_date="2027-01-31",
        csm="jo@acme.example",
        aliases={"zendesk": ["8447346622462", "x"]},
        contacts=[Contact(email="mia@nordwind.example", name="M", role="other")],
    )


def test_an_empty_record_is_a_record() -> None:
    assert parse() == AccountUpdated(id="acme", changed_at=NOW)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("domains", ["@acme.com"]),
        ("domains", ["https://acme.com"]),
        ("domains", ["acme.com/x"]),
        ("domains", ["acme"]),
        ("domains", ["acme..com"]),
        ("domains", ["a b.com"]),
        ("domains", ["x" * 64 + ".com"]),
        ("domains", [5]),
        ("contacts", [{"email": "mia"}]),
        ("contacts", [{"email": "mia@x.y", "role": "boss"}]),
        ("contacts", [{"name": "Mia"}]),
        ("contacts", [{"email": "mia@x.y", "phone": "1"}]),
        ("arr", -1),
        ("arr", float("nan")),
        ("arr", float("inf")),
        ("arr", "a lot"),
        ("currency", "EURO"),
        ("renewal_date", "2027-02-30"),
        ("renewal_date", "31.01.2027"),
        ("renewal_date", 20270131),
        ("csm", "jo"),
        ("csm", ["jo@acme.example"]),
        ("name", "a\x00b"),
        ("name", "x" * 201),
        ("aliases", {"zendesk": "1"}),
        ("aliases", {"zen desk": ["1"]}),
        ("owner", "jo@acme.example"),
    ],
)
def test_a_wrong_value_is_refused_by_its_field(field: str, value: Any) -> None:
    assert [name.partition(".")[0] for name in refused(**{field: value})] == [field]


def test_free_mail_domains_belong_to_no_company() -> None:
    assert "free-mail" in refused(domains=["acme.com", "GMail.com"])["domains.1"]
    own = FREE_MAIL | {"isp.example"}
    with pytest.raises(InvalidAccount, match=r"isp\.example is a free-mail domain"):
        parse_account("acme", {"domains": ["isp.example"]}, NOW, own)


def test_every_problem_is_named_at_once() -> None:
    assert set(refused(arr=-1, csm="x", extra=1)) == {"arr", "csm", "extra"}


@pytest.mark.parametrize("account_id", ["", " ", "a\nb", "x" * 201, "a/b", "/", ".", "..", " unmatched "])
def test_an_id_is_a_short_plain_text_that_can_be_part_of_an_address(account_id: str) -> None:
    with pytest.raises(InvalidAccount, match="id: "):
        parse_account(account_id, {}, NOW)


def test_a_vendors_id_may_hold_a_slash() -> None:
    assert parse_account("acme", {"aliases": {"zendesk": ["eu/7"]}}, NOW).aliases == {"zendesk": ["eu/7"]}
