"""Kinds of values that requests carry, with their limits: what a database or a journal could not keep is refused."""

from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, StringConstraints

_NO_NUL = r"^[^\x00]*$"
_ADDRESS = r"^[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,255}$"
MOST_ON_A_PAGE = 200

Text = Annotated[str, StringConstraints(max_length=20_000, pattern=_NO_NUL)]
Words = Annotated[str, StringConstraints(min_length=1, max_length=20_000, pattern=_NO_NUL)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=_NO_NUL)]
Key = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_NO_NUL)]
Email = Annotated[
    str,
    BeforeValidator(lambda value: value.strip() if isinstance(value, str) else value),
    StringConstraints(max_length=320, pattern=_ADDRESS),
    AfterValidator(str.lower),
]
Actor = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=320, pattern=_NO_NUL)]
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]
Instant = Annotated[AwareDatetime, Field(examples=["2026-11-20T14:30:00Z"])]

CaseId = Annotated[str, Path(description="Such as `L-7GQ2MZ4KXA`.", max_length=40, pattern=_NO_NUL)]
AccountId = Annotated[str, Path(max_length=200, pattern=_NO_NUL)]
BLANK_IS_NONE = BeforeValidator(lambda value: None if value == "" else value)
"""`?status=&owner=` asks for nothing in particular."""
_Wanted = Annotated[str, StringConstraints(max_length=320, pattern=_NO_NUL)]
Filter = Annotated[_Wanted | None, BLANK_IS_NONE, Query()]
Limit = Annotated[int, Query(ge=1, le=MOST_ON_A_PAGE, description="Items on a page.")]
_Place = Annotated[str, StringConstraints(max_length=1000)]
Cursor = Annotated[_Place | None, BLANK_IS_NONE, Query(description="`next_cursor` of the page before.")]

PROBLEM_CONTENT: dict[str, Any] = {
    "application/problem+json": {
        "schema": {
            "type": "object",
            "required": ["type", "title", "status", "detail"],
            "properties": {
                "type": {"type": "string"},
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "detail": {"type": "string"},
                "errors": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"at": {"type": "string"}, "problem": {"type": "string"}},
                    },
                },
            },
        }
    }
}


def problems(**words: str) -> dict[int | str, dict[str, Any]]:
    """Answers other than success, for the documentation: `problems(_404="No such case.")`."""
    known = {"401": "The admin token is missing or wrong.", "503": "The database or the log does not answer."}
    told = {**known, **{status.lstrip("_"): text for status, text in words.items()}}
    return {int(status): {"description": text, "content": PROBLEM_CONTENT} for status, text in told.items()}
