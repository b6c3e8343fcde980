"""Bodies made to be slow: each grows with its size, in the way that costs careless code more than its share."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from services.ingest.sources.base import Content
from tests.support.payloads import Sample

MOST = 1024 * 1024


def probes(one: Sample, content: Content) -> dict[str, Callable[[int], bytes]]:
    """By name; each makes a body of about the size it is given, in bytes."""
    if content is Content.XML:
        return {
            "elements": lambda size: _inside(one.body, b"<a/>" * (size // 4)),
            "text": lambda size: _inside(one.body, b"<Subject>" + b"a " * (size // 2) + b"</Subject>"),
            "attributes": lambda size: _inside(
                one.body, b"<a %s/>" % b" ".join(b'a%d="1"' % n for n in range(size // 10))
            ),
            "references": lambda size: _inside(one.body, b"<Subject>" + b"&amp;" * (size // 5) + b"</Subject>"),
            "entities": lambda size: b"<!DOCTYPE a [%s]><a>&e1;</a>" % (b'<!ENTITY e1 "&e0;&e0;">' * (size // 23)),
            "nesting": lambda size: b"<a>" * (size // 3),
        }
    if content is Content.FORM:
        return {
            "fields": lambda size: b"&".join([b"a=1"] * (size // 4)),
            "escapes": lambda size: b"MSG=" + b"%41" * (size // 3),
            "message": lambda size: b"MSG=" + b"[" * size,
        }
    document = json.loads(one.body)
    return {
        "nesting": lambda size: b"[" * (size // 2) + b"]" * (size // 2),
        "nesting within": lambda size: _with(document, "~~", b'{"a":' * (size // 6) + b"1" + b"}" * (size // 6)),
        "keys": lambda size: _with(document, {f"k{number}": number for number in range(size // 12)}),
        "elements": lambda size: _with(document, list(range(size // 7))),
        "escapes": lambda size: _with(document, "~~", b'"' + rb"\u0000" * (size // 6) + b'"'),
        "surrogates": lambda size: _with(document, "~~", b'"' + rb"\ud800" * (size // 6) + b'"'),
        "a number": lambda size: _with(document, "~~", b"9" * size),
        "a fraction": lambda size: _with(document, "~~", b"0." + b"1" * size),
        **{
            f"long text at {'.'.join(map(str, path))}": lambda size, path=path, kind=kind: _at(
                document, path, kind, size
            )
            for path in texts(document)
            for kind in _LONG[:1]
        },
        **{
            f"{kind.__name__.strip('_')} everywhere": lambda size, kind=kind: _everywhere(document, kind, size)
            for kind in _LONG
        },
    }


def texts(document: Any, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place of a document that holds a text or a number."""
    if isinstance(document, dict | list):
        for key, value in document.items() if isinstance(document, dict) else enumerate(document):
            yield from texts(value, (*above, key))
    elif not isinstance(document, bool) and document is not None:
        yield above


def _spaces(size: int) -> str:
    return " " * size


def _dots(size: int) -> str:
    return "a@" + "a." * (size // 2)


def _digits(size: int) -> str:
    return "9" * size


def _slashes(size: int) -> str:
    return "https://" + "a/" * (size // 2)


def _times(size: int) -> str:
    return "2026-03-02T11:00:00." + "0" * size + " "


_LONG = (_spaces, _dots, _digits, _slashes, _times)


def _at(document: Any, path: tuple[str | int, ...], kind: Callable[[int], str], size: int) -> bytes:
    copy = json.loads(json.dumps(document))
    place = copy
    for step in path[:-1]:
        place = place[step]
    if path:
        place[path[-1]] = kind(size)
    return json.dumps(copy).encode()


def _everywhere(document: Any, kind: Callable[[int], str], size: int) -> bytes:
    places = list(texts(document))
    copy = json.loads(json.dumps(document))
    for path in places:
        place = copy
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = kind(size // len(places))
    return json.dumps(copy).encode()


def _with(document: Any, extra: Any, raw: bytes | None = None) -> bytes:
    """The document with one more member, or as a list of itself with it."""
    host = {**document, "probe": extra} if isinstance(document, dict) else [*document, {"probe": extra}]
    body = json.dumps(host).encode()
    return body if raw is None else body.replace(b'"~~"', raw)


def _inside(body: bytes, more: bytes) -> bytes:
    """The outbound message with something more in its case."""
    at = body.index(b"</sObject>")
    return body[:at] + more + body[at:]
