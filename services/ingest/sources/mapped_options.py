"""The options of a mapped source: where in the body things are, on which scale, and how the sender signs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.ingest.scales import RANGES, NumberScale, WordScale, as_word, words_of
from services.ingest.signatures import PlainScheme
from services.ingest.sources.base import ParseOption
from services.ingest.sources.json_path import Path, json_path
from services.ingest.sources.options import flag, scale, text

TIME_FORMATS = ("iso", "epoch_s", "epoch_ms")
ACCOUNT_IDS = (
    "organization_id",
    "organization_external_id",
    "account_id",
    "external_id",
    "domain",
    "organization_name",
)
_ALGORITHMS = ("sha1", "sha256", "sha512")
_ENCODINGS = ("hex", "base64")


@dataclass(frozen=True, slots=True)
class Condition:
    """Holds where `path` has one of `values`, compared as text without regard to case."""

    path: Path
    values: frozenset[str]

    def holds(self, document: Any) -> bool:
        found = self.path.read(document)
        return as_word(found) in self.values


def metric(value: Any) -> str | Path:
    if isinstance(value, str) and value in RANGES:
        return value
    if isinstance(value, str) and value.startswith("$"):
        return json_path(value)
    raise ValueError('must be "csat", "nps" or "ces", or the path of one such as $.survey.type')


def scale_or_words(value: Any) -> WordScale | NumberScale:
    """`[1, 5]`, `{ min = 1, max = 5, reversed = true }` or `{ words = { "Super" = 5, "Keine Antwort" = "none" } }`.
    The metric is set when it is known (mapped.py)."""
    if not isinstance(value, Mapping) or "words" not in value:
        return scale("csat", value)
    if set(value) != {"words"}:
        raise ValueError('must be like { words = { "Super" = 5, "Okay" = 3, "Schlecht" = 1 } }')
    return WordScale("csat", words_of(value["words"]))


def condition(value: Any) -> Condition:
    """`{ path = "$.event", is = ["rated", "rated_again"] }`"""
    if not isinstance(value, Mapping) or set(value) != {"path", "is"}:
        raise ValueError('must be like { path = "$.event", is = ["rated"] }')
    listed = value["is"] if isinstance(value["is"], list) else [value["is"]]
    if not listed or not all(isinstance(one, str | int | bool) for one in listed):
        raise ValueError("`is` must be a text or a list of texts")
    return Condition(json_path(value["path"]), frozenset(as_word(one) for one in listed))


def account(value: Any) -> dict[str, Path]:
    """`{ external_id = "$.company.id" }`; the keys are those by which accounts are found."""
    if not isinstance(value, Mapping) or set(value) - set(ACCOUNT_IDS):
        raise ValueError(f"must be a table of paths; its keys are {', '.join(ACCOUNT_IDS)}")
    return {name: json_path(path) for name, path in value.items()}


def signature(value: Any) -> PlainScheme:
    """`{ header = "X-Acme-Signature", algorithm = "sha256", encoding = "hex", prefix = "sha256=" }`"""
    if not isinstance(value, Mapping) or set(value) - {"header", "algorithm", "encoding", "prefix"}:
        raise ValueError('must be like { header = "X-Acme-Signature", algorithm = "sha256", encoding = "hex" }')
    scheme = PlainScheme(
        text(value.get("header")).lower(),
        value.get("algorithm", "sha256"),
        value.get("encoding", "hex"),
        value.get("prefix", ""),
    )
    if scheme.algorithm not in _ALGORITHMS or scheme.encoding not in _ENCODINGS or not isinstance(scheme.prefix, str):
        raise ValueError(f"algorithm is one of {', '.join(_ALGORITHMS)}, encoding one of {', '.join(_ENCODINGS)}")
    return scheme


def time_format(value: Any) -> str:
    if value not in TIME_FORMATS:
        raise ValueError(f"must be one of {', '.join(TIME_FORMATS)}")
    return str(value)


def kind(value: Any) -> str:
    if value != "mapped":
        raise ValueError('must be "mapped"')
    return "mapped"


PATHS = ("score", "comment", "record_id", "delivery_id", "occurred_at", "survey_id", "ticket_id", "ticket_url",
         "ticket_subject", "ticket_status", "requester_email", "requester_name", "assignee_name",
         "assignee_email")  # fmt: skip

MAPPED_OPTIONS: dict[str, ParseOption] = {
    **dict.fromkeys(PATHS, json_path),
    "kind": kind,
    "metric": metric,
    "scale": scale_or_words,
    "time_format": time_format,
    "delivery_header": lambda value: text(value).lower(),
    "only": condition,
    "withdrawn": condition,
    "account": account,
    "signature": signature,
    "token_in_query": flag,
}
