"""The CSV of accounts: what goes in comes out, and every mistake is named with its line."""

import string
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.commands import accounts_file, covers_file

HEADER = "id,name,domains,arr,contacts,alias.zendesk\n"

texts = st.text(string.ascii_letters + " ,\"'äß\n", min_size=1, max_size=12).map(str.strip).filter(bool)
words = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=8)
contacts = st.fixed_dictionaries({"email": words.map("{}@x.example".format)}, optional={"name": words, "role": words})
records = st.fixed_dictionaries(
    {"id": words},
    optional={
        "name": texts,
        "domains": st.lists(words, min_size=1, max_size=3),
        "tier": texts,
        "arr": st.floats(0, 1e12).map(lambda number: round(number, 2)),
        "csm": words,
        "contacts": st.lists(contacts, min_size=1, max_size=3),
        "aliases": st.dictionaries(words, st.lists(words, min_size=1, max_size=3), min_size=1, max_size=3),
    },
)


@given(st.lists(records, unique_by=lambda record: record["id"], max_size=6))
def test_what_is_exported_is_imported_as_it_was(written: list[dict[str, object]]) -> None:
    rows, mistakes = accounts_file.read(accounts_file.write(written))
    assert mistakes == []
    assert [{"id": row.id, **row.record} for row in rows] == written


def test_a_row_becomes_the_record_that_put_account_takes() -> None:
    text = HEADER + 'acme,"Acme, Inc.",acme.example; acme.test,250_000,ana@acme.example | Ana | champion,17;18\n'
    (row,), _ = accounts_file.read(text)
    assert row.line == 2
    assert row.record == {
        "name": "Acme, Inc.",
        "domains": ["acme.example", "acme.test"],
        "arr": 250_000,
        "contacts": [{"email": "ana@acme.example", "name": "Ana", "role": "champion"}],
        "aliases": {"zendesk": ["17", "18"]},
    }


def test_every_mistake_is_named_with_its_line() -> None:
    text = HEADER + "\n".join(
        (
            "one,Good,,,,",
            ",No id,,,,",
            "two,Bad ARR,,a lot,,",
            '"three","Two\nlines",,,,',
            "four,Too many cells,,,,,,,",
            "one,Again,,,,",
            "five,Contact,,,a@b.example | A | champion | more,",
        )
    )
    rows, mistakes = accounts_file.read(text)
    assert [(row.line, row.id) for row in rows] == [(2, "one"), (6, "three")]
    assert [mistake.line for mistake in mistakes] == [3, 4, 7, 8, 9]
    assert "id one is already on line 2" in mistakes[3].words


def test_an_unknown_column_is_refused_before_any_row() -> None:
    rows, mistakes = accounts_file.read("id,nmae\nacme,Acme\n")
    assert rows == []
    assert "'nmae' is not known" in mistakes[0].words


def test_a_file_of_excel_with_its_mark_at_the_start_is_read() -> None:
    rows, mistakes = accounts_file.read("\ufeffid,name\r\nacme,Acme\r\n\r\n")
    assert mistakes == []
    assert rows[0].record == {"name": "Acme"}


@pytest.mark.parametrize(("read", "header"), [(accounts_file.read, "id,name"), (covers_file.read, "person,starts")])
def test_a_quote_that_never_ends_is_a_mistake_at_its_line(read: Callable[[str], Any], header: str) -> None:
    _, mistakes = read(f'{header}\nana@us.example,2026-12-01\nzeta,"{"x" * 200_000}\n')
    assert (mistakes[-1].line, "it is no CSV" in mistakes[-1].words) == (3, True)
