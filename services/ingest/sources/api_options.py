"""The options of `[sources.<name>]` that concern the vendor's API: enrichment and reconciliation."""

from collections.abc import Mapping
from typing import Any

from shared.policy import parse_span


def web_address(value: Any) -> str:
    if not isinstance(value, str) or not value.startswith(("https://", "http://")):
        raise ValueError("must be a web address such as https://api.example.com")
    return value.rstrip("/")


def word(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be a text")
    return value.strip()


def surveys(value: Any) -> tuple[str, ...]:
    """`["123456789"]`: the surveys to look at."""
    if not isinstance(value, list) or not all(isinstance(one, str | int) for one in value):
        raise ValueError("must be a list of survey ids")
    return tuple(str(one) for one in value)


API_OPTIONS: Mapping[str, Any] = {
    "api_url": web_address,
    "datacenter": word,
    # What a source without such an option of its own makes of it: vendors/opening.py.
    "questions": lambda value: value,
    "surveys": surveys,
    "enrich_within": parse_span,
    "reconcile_every": parse_span,
    "reconcile_window": parse_span,
    "reconcile_after": parse_span,
}
