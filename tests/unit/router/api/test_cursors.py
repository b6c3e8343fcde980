"""A page cursor leads back to where the page ended, and any other text is refused, never a crash."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.router.api import cursors

INSTANTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))
IDS = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=40)


@given(INSTANTS, IDS)
def test_a_cursor_finds_its_place(at: datetime, id_: str) -> None:
    assert cursors.decode_place(cursors.encode_place(at, id_)) == (at, id_)


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_any_other_text_is_refused(text: str) -> None:
    for decode in (cursors.decode_place, cursors.decode_line, cursors.decode_name):
        with pytest.raises(cursors.BadCursor):
            decode(text)


@given(st.dates(date.min, date(9998, 12, 31)), IDS)
def test_a_cursor_finds_its_line(period: date, group: str) -> None:
    assert cursors.decode_line(cursors.encode_line(period, group)) == (period, group)


@pytest.mark.parametrize(
    "parts", [["2026-01-01T00:00:00+00:00"], ["yesterday", "L-A"], ["x", "y", "z"], ["2026", "\0"]]
)
def test_a_cursor_of_another_list_is_refused(parts: list[str]) -> None:
    with pytest.raises(cursors.BadCursor):
        cursors.decode_place(cursors.encode(*parts))
