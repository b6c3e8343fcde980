"""Plain JSONPaths (RFC 9535) of an administrator: one place in a document each, found in as many steps as it has."""

from dataclasses import dataclass
from typing import Any, Final

from jsonpath import JSONPath, JSONPathEnvironment, JSONPathError
from jsonpath.selectors import IndexSelector, NameSelector

MAX_PATH = 500
MISSING: Final = None
_RULES = JSONPathEnvironment(strict=True)


@dataclass(frozen=True, slots=True)
class Path:
    """`written` is for people; `steps` are member names and list positions from the root on."""

    written: str
    steps: tuple[str | int, ...]

    def __str__(self) -> str:
        return self.written

    def read(self, document: Any) -> Any:
        """What is there; MISSING (null, too) where there is nothing."""
        found = document
        for step in self.steps:
            if isinstance(found, dict):
                found = found.get(step)
            elif isinstance(found, list) and isinstance(step, int) and -len(found) <= step < len(found):
                found = found[step]
            else:
                return MISSING
        return found


def json_path(value: Any) -> Path:
    """`$.answer.rating`, `$.items[0].value`, `$['Net score']`. ValueError for anything that may find more than one
    place or that computes: wildcards, `..`, slices, filters, functions."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be a path such as $.answer.rating")
    written = value.strip()
    if len(written) > MAX_PATH:
        raise ValueError(f"is longer than {MAX_PATH} characters")
    try:
        compiled = _RULES.compile(written)
    except (JSONPathError, RecursionError, ValueError):
        raise ValueError(f"{written} is not a JSONPath; write it like $.answer.rating or $['Net score']") from None
    if not isinstance(compiled, JSONPath) or not compiled.singular_query():
        raise ValueError(f"{written} may find several places: no wildcards, filters, slices or `..`")
    return Path(written, tuple(_step(segment.selectors[0]) for segment in compiled.segments))


def _step(selector: Any) -> str | int:
    if isinstance(selector, NameSelector):
        return selector.name
    assert isinstance(selector, IndexSelector)
    return selector.index
