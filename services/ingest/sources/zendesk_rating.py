"""Zendesk's satisfaction ratings and ticket statuses, as words, numbers or localised text."""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from services.ingest.scales import CSAT_1_5, GOOD_BAD, Score, ScoreError, is_missing, shown
from services.ingest.sources.base import Options, Unprocessable
from services.ingest.sources.options import scale_of
from shared.events.catalog import SurveyResponded

Withdrawn = Literal["withdrawn"]
WITHDRAWN: Final = "withdrawn"
"""In place of a score: the customer took the rating back."""

_FIRST_WORD = re.compile(r"[^\W\d_]+")
_NUMERIC = re.compile(r"[+-]?[0-9.]+")
_WITHDRAWN = ("withdrawn", "deleted", "removed", "retracted")
_UNRATED = ("offered", "unoffered", "not offered", "not rated", "unrated")

STATUSES = {
    "new": "new",
    "open": "open",
    "pending": "pending",
    "hold": "pending",
    "on-hold": "pending",
    "on hold": "pending",
    "solved": "solved",
    "closed": "closed",
    "archived": "closed",
    "deleted": "deleted",
    "scrubbed": "deleted",
    "merged": "merged",
}


def withdrawn(about: Mapping[str, Any]) -> SurveyResponded:
    """The ticket's rating is gone; it never becomes 0."""
    return SurveyResponded(record_id=f"csat:{about['ticket_id']}", metric="csat", withdrawn=True, **about)


def read_rating(raw: Any, options: Options) -> Score | Withdrawn | None:
    """The score of a rating; WITHDRAWN where it was taken back, None where nobody rated (missing, offered, unoffered).

    Text is looked up in the option `rating_text_map`; else a number is on `csat_scale` (1 to 5), and of words the
    first counts. Raises Unprocessable naming the option that would help."""
    if is_missing(raw):
        return None
    try:
        if isinstance(raw, str):
            return _of_text(raw, raw.strip().casefold(), options)
        return scale_of(options, "csat", CSAT_1_5).score(raw)
    except ScoreError as wrong:
        raise Unprocessable(f"The satisfaction rating: {wrong}.") from None


def _of_text(raw: str, text: str, options: Options) -> Score | Withdrawn | None:
    meaning = options.get("rating_text_map", {}).get(text)
    if meaning is None:
        if _NUMERIC.fullmatch(text):
            return scale_of(options, "csat", CSAT_1_5).score(raw)
        if text.startswith(_UNRATED):
            return None
        first = _FIRST_WORD.match(text)
        meaning = first[0] if first else ""
    if meaning == "none":
        return None
    if meaning in _WITHDRAWN:
        return WITHDRAWN
    if isinstance(meaning, int | float):
        return Score("csat", raw, dict(CSAT_1_5.described), meaning)
    if meaning not in GOOD_BAD.values:
        raise ScoreError(f"csat {shown(raw)} is outside its scale bad, good; map it in rating_text_map")
    return GOOD_BAD.score(raw, meaning)


def status_of(raw: str | None, options: Options) -> str | None:
    """Our status, None where the text is unknown; localised texts by the option `status_text_map`."""
    text = (raw or "").strip().casefold()
    mapped: str | None = options.get("status_text_map", {}).get(text) or STATUSES.get(text)
    return mapped
