"""A spreadsheet opens our CSV as text: no customer can make it run a formula."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from services.router.audit.export import BOM, line, lines

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
DANGEROUS = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r")


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@given(st.sampled_from([*DANGEROUS, " =", "\n=", "　="]), TEXT)
def test_no_cell_begins_a_formula(start: str, rest: str) -> None:
    (cells,) = read(line([start + rest, "safe"]))
    assert cells == ["'" + start + rest, "safe"]


@given(st.lists(TEXT, min_size=1, max_size=5))
def test_what_people_wrote_comes_back_but_for_the_apostrophe(values: list[str]) -> None:
    (cells,) = read(line(values)) or [[""]]
    for value, cell in zip(values, cells, strict=True):
        assert cell in (value, "'" + value)
        assert not cell.startswith(DANGEROUS)


def test_numbers_keep_their_sign_and_nothing_is_empty() -> None:
    assert line([-1.5, 0, None, True]) == "-1.5,0,,yes\r\n"


async def test_the_mark_that_excel_needs_comes_first() -> None:
    async def rows():
        yield ["日本語"]

    written = [part async for part in lines(["name"], rows(), bom=True)]
    assert "".join(written) == f"{BOM}name\r\n日本語\r\n"
