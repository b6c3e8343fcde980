"""What a later event about the same response means: nothing, a detail, better, worse, or withdrawn (G2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from shared.events.catalog import FeedbackScored, SurveyResponded

LISTING_TOLERANCE = timedelta(minutes=1)
_SAID = (
    "metric normalised_score survey_id ticket_id ticket_url subject requester_email requester_name assignee withdrawn"
).split()


class Change(StrEnum):
    NONE = "none"
    DETAILS = "details"
    COMMENT = "comment"
    LOWER = "lower"
    HIGHER = "higher"
    BETTER = "better"
    WORSE = "worse"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Revision:
    """WORSE is good turned bad and needs a person; BETTER is bad turned good, noted only; LOWER and HIGHER stay bad."""

    change: Change
    words: str


class Stored(Protocol):
    @property
    def normalised_score(self) -> float | None: ...
    @property
    def flagged(self) -> bool: ...
    @property
    def late(self) -> bool: ...
    @property
    def withdrawn(self) -> bool: ...
    @property
    def occurred_at(self) -> datetime: ...
    @property
    def comment_id(self) -> str | None: ...


def revise(known: Stored, scored: FeedbackScored) -> Revision:
    """The vendor's own time decides, whatever the order of arrival: an older event changes nothing."""
    answer = scored.response
    if (answer.occurred_at or answer.received_at) < known.occurred_at:
        return Revision(Change.NONE, "")
    if answer.withdrawn:
        change = Change.NONE if known.withdrawn else Change.WITHDRAWN
        return Revision(change, "The customer withdrew the rating.")
    # Nobody was told of what came late: bad again, and not late this time, is news.
    was_bad = known.flagged and not known.withdrawn and not known.late
    rerated = f"The rating changed from {_number(known.normalised_score)} to {_number(answer.normalised_score)}."
    if scored.flagged and not was_bad:
        return Revision(Change.DETAILS if scored.late else Change.WORSE, rerated)
    if was_bad and not scored.flagged:
        return Revision(Change.BETTER, rerated)
    if was_bad and known.normalised_score != answer.normalised_score:
        lower = (answer.normalised_score or 0) < (known.normalised_score or 0)
        return Revision(Change.LOWER if lower else Change.HIGHER, rerated)
    if answer.comment and known.comment_id is None:
        return Revision(Change.COMMENT, "The customer added a comment.")
    return Revision(Change.DETAILS, "The customer's answer was updated.")


def _number(score: float | None) -> str:
    return "no score" if score is None else f"{score:g}"


def says_again(stored: Mapping[Any, Any], answer: SurveyResponded, comment: str | None) -> bool:
    """Whether a webhook says nothing that differs from what is stored of the response, `comment` beside it."""
    said = {name: getattr(answer, name) for name in _SAID}
    same = all(stored[name] == value for name, value in said.items() if value is not None)
    hinted = all(stored["account_hint"].get(name) == value for name, value in answer.account_hint.items())
    return same and hinted and answer.comment in (None, comment)


def only_listed(change: Change, known: Stored, answer: SurveyResponded, comment: str | None) -> bool:
    """Whether a listing by the vendor's API says nothing that we do not know. Its times are coarser than those of
    webhooks, and its objects leave out what those have: only another score, a comment or a withdrawal is news."""
    if change in (Change.WORSE, Change.WITHDRAWN):
        return False
    if answer.comment and comment is None:
        return False
    newer = (answer.occurred_at or answer.received_at) > known.occurred_at + LISTING_TOLERANCE
    rescored = answer.normalised_score != known.normalised_score
    commented = bool(answer.comment) and (answer.comment or "").strip() != (comment or "").strip()
    return not (newer and (rescored or commented))
