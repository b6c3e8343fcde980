"""The options of `[sources.<name>]` in the policy: each checked at start, and ready for use afterwards."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from services.ingest.scales import NumberScale, ScoreError
from services.ingest.signatures import DEFAULT_WINDOW
from services.ingest.sources.base import ParseOption, Source
from shared.errors import ConfigurationError
from shared.policy import parse_span

STATUSES = ("new", "open", "pending", "solved", "closed", "merged", "deleted")


def text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be a text")
    return value.strip()


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def texts(value: Any) -> tuple[str, ...]:
    """A list of texts; numbers are taken as their digits."""
    if not isinstance(value, list) or not all(isinstance(one, str | int) for one in value):
        raise ValueError("must be a list of texts")
    return tuple(str(one) for one in value)


def web_address(value: Any) -> str:
    if not isinstance(value, str) or not value.startswith(("https://", "http://")):
        raise ValueError("must be a web address such as https://api.example.com")
    return value.rstrip("/")


def scale(metric: str, value: Any) -> NumberScale:
    """`[0, 2]` or `{ min = 0, max = 2, reversed = true }`."""
    if isinstance(value, list) and len(value) == 2:
        value = {"min": value[0], "max": value[1]}
    if not isinstance(value, Mapping) or set(value) - {"min", "max", "reversed"} or not {"min", "max"} <= set(value):
        raise ValueError("must be like [1, 5] or { min = 1, max = 5, reversed = false }")
    low, high = value["min"], value["max"]
    if any(isinstance(end, bool) or not isinstance(end, int | float) for end in (low, high)):
        raise ValueError("min and max must be numbers")
    try:
        return NumberScale(metric, low, high, reversed=flag(value.get("reversed", False)))
    except ScoreError as wrong:
        raise ValueError(str(wrong)) from None


def status_map(value: Any) -> dict[str, str]:
    """`{ "Gelöst" = "solved" }`; looked up without regard to case."""
    return _text_map(value, lambda word: word in STATUSES, f"one of {' '.join(STATUSES)}")


def rating_map(value: Any) -> dict[str, Any]:
    """`{ "Gut" = "good", "Nicht bewertet" = "none", "Gelöscht" = "withdrawn" }`, or a CSAT from 1 to 5; looked up
    without regard to case."""
    return _text_map(value, _is_rating, '"good", "bad", "none", "withdrawn" or a number from 1 to 5')


def _is_rating(word: Any) -> bool:
    if isinstance(word, str):
        return word in ("good", "bad", "none", "withdrawn")
    return isinstance(word, int | float) and not isinstance(word, bool) and 1 <= word <= 5


def _text_map(value: Any, allows: Any, words: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"must be a table of texts, each with {words}")
    for key, meaning in value.items():
        if not allows(meaning):
            raise ValueError(f'"{key}" must be {words}')
    return {key.strip().casefold(): meaning for key, meaning in value.items()}


OF_THE_API: Mapping[str, ParseOption] = {
    "api_url": web_address,
    "datacenter": text,
    # What a source without such an option of its own makes of it: vendors/opening.py.
    "questions": lambda value: value,
    "surveys": texts,
    "enrich_within": parse_span,
    "reconcile_every": parse_span,
    "reconcile_window": parse_span,
    "reconcile_after": parse_span,
}
"""For enrichment and reconciliation."""
COMMON: Mapping[str, ParseOption] = {
    "replay_window": parse_span,
    "unsigned": flag,
    "csat_scale": lambda value: scale("csat", value),
    "nps_scale": lambda value: scale("nps", value),
    "ces_scale": lambda value: scale("ces", value),
    "rating_text_map": rating_map,
    "status_text_map": status_map,
}


def parse_options(source: Source, table: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The options ready for use, and the names of those that nobody knows.

    Raises ConfigurationError naming the key of a malformed one."""
    parsers = {**COMMON, **OF_THE_API, **source.options}
    parsed: dict[str, Any] = {}
    for name, value in table.items():
        if name not in parsers:
            continue
        try:
            parsed[name] = parsers[name](value)
        except ValueError as wrong:
            raise ConfigurationError(f"sources.{source.name}.{name}: {wrong}") from wrong
    return parsed, sorted(set(table) - set(parsers))


def replay_window(options: Mapping[str, Any]) -> timedelta:
    """How old or early a signed timestamp may be; 300 s unless the policy says otherwise."""
    window: timedelta = options.get("replay_window", DEFAULT_WINDOW)
    return window


def scale_of(options: Mapping[str, Any], metric: str, default: NumberScale) -> NumberScale:
    """The scale of the option `<metric>_scale`, else the source's own."""
    found: NumberScale = options.get(f"{metric}_scale", default)
    return found
