"""The hash chain: canonical bytes of an entry, its hash over the one before, and checking a chain (G10)."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.router.domain.words import iso

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Sealed:
    """An entry as it is stored. `data` are the canonical bytes the hash was made over."""

    case_id: str
    seq: int
    at: datetime
    actor: str
    type: str
    data: bytes
    prev_hash: str
    hash: str


def canonical(data: Mapping[str, Any]) -> bytes:
    """JSON with sorted keys, no spaces, UTF-8: the same data gives the same bytes."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def seal(
    prev_hash: str, case_id: str, seq: int, at: datetime, actor: str, kind: str, data: Mapping[str, Any]
) -> Sealed:
    stored = canonical(data)
    return Sealed(
        case_id, seq, at, actor, kind, stored, prev_hash, chain_hash(prev_hash, case_id, seq, at, actor, kind, stored)
    )


def chain_hash(prev_hash: str, case_id: str, seq: int, at: datetime, actor: str, kind: str, data: bytes) -> str:
    head = canonical({"actor": actor, "at": iso(at), "case": case_id, "prev": prev_hash, "seq": seq, "type": kind})
    return hashlib.sha256(head + b"\n" + data).hexdigest()


def text_digest(salt: str, body: str) -> str:
    """Stands in the chain for free text; the salt lies beside the text and is erased with it."""
    return hashlib.sha256(f"{salt}\x1f{body}".encode("utf-8", "replace")).hexdigest()


def broken_at(entries: Iterable[Sealed]) -> int | None:
    """The first seq that does not follow from the one before, or None when the chain holds."""
    prev, expected = GENESIS, 1
    for entry in entries:
        right = chain_hash(prev, entry.case_id, entry.seq, entry.at, entry.actor, entry.type, entry.data)
        if entry.seq != expected or entry.prev_hash != prev or entry.hash != right:
            return expected
        prev, expected = entry.hash, expected + 1
    return None
