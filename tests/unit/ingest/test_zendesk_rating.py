"""What a Zendesk rating says, in the words and numbers of an installation."""

from typing import Any

import pytest

from services.ingest.sources.zendesk_rating import WITHDRAWN, read_rating

MAP = {"rating_text_map": {"2": "bad", "gut": "good", "weg": "withdrawn", "keine": "none"}}


@pytest.mark.parametrize(
    ("raw", "meaning"),
    [("2", 1), (" Gut ", 5), ("4", 4), (4, 4), ("Weg", WITHDRAWN), ("Deleted", WITHDRAWN), ("Keine", None)],
)
def test_the_map_decides_before_numbers_and_words(raw: Any, meaning: Any) -> None:
    found = read_rating(raw, MAP)
    assert (found if found in (None, WITHDRAWN) else found.normalised) == meaning
