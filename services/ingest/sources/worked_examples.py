"""Worked examples of an administrator: bodies and what must come out of them, checked before a source goes live."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from services.ingest.sources.base import Options, Translate, Translation, Unprocessable, WebhookRequest
from shared.events.envelope import encode_json

IGNORED, REFUSED = "ignored", "refused"
_SOME_TIME = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Example:
    """`expected` are fields of the one event (those not named are not looked at), or "ignored" or "refused"."""

    name: str
    body: bytes
    headers: Mapping[str, str]
    expected: Mapping[str, Any] | str


def examples(value: Any) -> tuple[Example, ...]:
    """`[[sources.mapped.examples]]`"""
    if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
        raise ValueError("must be written as [[sources.mapped.examples]] with body and expected")
    return tuple(_example(number, one) for number, one in enumerate(value, start=1))


def _example(number: int, table: Mapping[str, Any]) -> Example:
    body, expected, headers = table.get("body"), table.get("expected"), table.get("headers", {})
    name = str(table.get("name", f"example {number}"))
    if set(table) - {"name", "body", "headers", "expected"} or not isinstance(body, str | Mapping):
        raise ValueError(f"{name}: has body (a text or a table), expected, and if need be name and headers")
    if not isinstance(expected, Mapping) and expected not in (IGNORED, REFUSED):
        raise ValueError(f'{name}: expected is a table of fields, or "{IGNORED}" or "{REFUSED}"')
    if not isinstance(headers, Mapping):
        raise ValueError(f"{name}: headers is a table")
    sent = {str(key).lower(): str(held) for key, held in headers.items()}
    return Example(name, body.encode() if isinstance(body, str) else encode_json(body), sent, expected)


def unproven(translate: Translate, options: Options) -> list[str]:
    """What does not come out as an example says, each with the example's name and the difference."""
    given: Sequence[Example] = options.get("examples", ())
    if not given:
        return ["add a worked example ([[sources.<name>.examples]] with body and expected), so that it can be checked"]
    return [f"{one.name}: {wrong}" for one in given for wrong in _differences(one, translate, options)]


def _differences(example: Example, translate: Translate, options: Options) -> list[str]:
    request = WebhookRequest("POST", "", example.headers, example.body, {})
    try:
        translation = translate(request, options, _SOME_TIME)
    except Unprocessable as wrong:
        return [] if example.expected == REFUSED else [f"it is refused: {wrong}"]
    if isinstance(example.expected, str):
        return [] if example.expected == IGNORED and not translation.events else [_instead(translation, example)]
    if not translation.events:
        return [f"it is ignored: {translation.reason}"]
    event = msgspec.to_builtins(translation.events[0], builtin_types=(datetime,))
    return [
        f"{field} is {_shown(event.get(field))}, expected {_shown(wanted)}"
        if field in event
        else f"there is no field {field}; there are {', '.join(event)}"
        for field, wanted in example.expected.items()
        if field not in event or not _same(event[field], wanted)
    ]


def _instead(translation: Translation, example: Example) -> str:
    became = "an event" if translation.events else f"ignored ({translation.reason})"
    return f"it becomes {became}, expected {example.expected}"


def _same(found: Any, wanted: Any) -> bool:
    if isinstance(found, datetime):
        return found == _instant(wanted)
    return bool(found == wanted)


def _instant(wanted: Any) -> datetime | None:
    try:
        at = wanted if isinstance(wanted, datetime) else datetime.fromisoformat(str(wanted))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
