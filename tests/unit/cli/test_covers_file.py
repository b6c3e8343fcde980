"""The CSV of absences: days as people mean them, and every mistake with its line."""

from datetime import UTC, datetime

import pytest

from services.commands import covers_file
from services.commands.covers import check

NOW = datetime(2025, 12, 20, tzinfo=UTC)
HEADER = "person,cover,starts,ends,timezone,reason\n"


def test_the_first_and_the_last_day_are_whole_days_where_the_person_lives() -> None:
    text = HEADER + 'ana@us.example,eva@us.example,2026-12-01,2026-12-04,America/New_York,"Holiday, at last"\n'
    (row,), mistakes = covers_file.read(text)
    assert not mistakes
    assert row.starts_at == datetime(2026, 12, 1, 5, tzinfo=UTC)
    assert row.ends_at == datetime(2026, 12, 5, 5, tzinfo=UTC)
    assert (row.cover, row.timezone, row.reason) == ("eva@us.example", "America/New_York", "Holiday, at last")


def test_instants_are_taken_as_they_are_and_empty_cells_mean_nobody_and_open_end() -> None:
    (row,), mistakes = covers_file.read("starts,person\n2026-12-01T13:00+01:00,ana@us.example\n\n")
    assert not mistakes
    assert (row.starts_at, row.ends_at, row.cover) == (datetime(2026, 12, 1, 12, tzinfo=UTC), None, None)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("ana@us.example,eva@us.example,soon,,,", "starts: 'soon' is no date: write 2026-12-01"),
        ("ana@us.example,eva@us.example,2026-12-01,2026-11-01,,", "ends_at"),
        ("ana@us.example,ana@us.example,2026-12-01,2026-12-04,,", "cover for themselves"),
        ("Ana,eva@us.example,2026-12-01,2026-12-04,,", "person: Name a person by e-mail"),
        ("ana@us.example,eva@us.example,2025-12-01,2025-12-04,,", "over already"),
        ("ana@us.example,eva@us.example,2026-12-01,2026-12-04,Berlin,", "timezone: 'Berlin' is not known"),
        ("ana@us.example,eva@us.example,2026-12-01,2026-12-04,,a,b", "more cells than columns"),
    ],
)
def test_a_mistake_is_named_with_its_line(row: str, words: str) -> None:
    _, mistakes = check(HEADER + "ana@us.example,eva@us.example,2026-01-01,2026-01-02,,\n" + row + "\n", "csv", NOW)
    assert [mistake.line for mistake in mistakes] == [3]
    assert words in mistakes[0].words


def test_an_unknown_or_missing_column_is_said() -> None:
    _, mistakes = covers_file.read("person,until\nana@us.example,x\n")
    assert [mistake.line for mistake in mistakes] == [1, 1]
