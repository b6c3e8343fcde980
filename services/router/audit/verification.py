"""Proof of the journals: hashes that follow from one another, heads and texts that fit, figures that come out equal."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from services.router.audit.facts import chains
from services.router.audit.facts.chains import Chain, StoredText
from services.router.audit.facts.connection import Connection
from services.router.audit.facts.promises import promises_of_cases
from services.router.audit.promise import Promise
from services.router.audit.recompute import JournalEntry, recompute
from services.router.domain.journal import GENESIS, broken_at, text_digest

_BATCH = 200


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with the journal of a case; `seq` is the first entry concerned, where one is."""

    case_id: str
    words: str
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """`last` is the case to go on after; `checked` counts cases."""

    last: str
    checked: int
    flaws: tuple[Flaw, ...]


async def verify_next(connection: Connection, after: str, limit: int = _BATCH) -> Progress:
    """Verify the next cases in order of id: chains, heads, texts, and figures from the journal against the rows."""
    case_ids = await chains.next_cases(connection, after, limit)
    flaws = await verify_cases(connection, case_ids)
    return Progress(case_ids[-1] if case_ids else "", len(case_ids), tuple(flaws))


async def verify_cases(connection: Connection, case_ids: Sequence[str]) -> list[Flaw]:
    """What is wrong is looked at twice: a case that changed between two statements is whole at the second look."""
    suspects = {flaw.case_id for flaw in await _look(connection, case_ids)}
    return await _look(connection, sorted(suspects)) if suspects else []


async def _look(connection: Connection, case_ids: Sequence[str]) -> list[Flaw]:
    found = await chains.read_chains(connection, case_ids)
    flaws = [flaw for chain in found for flaw in chain_flaws(chain)]
    named = {text_id: digest for chain in found for _, text_id, digest in _texts(chain)}
    stored = await chains.read_texts(connection, list(named)) if named else {}
    flaws += [flaw for chain in found for flaw in text_flaws(chain, stored)]
    return flaws + await _figure_flaws(connection, found)


def chain_flaws(chain: Chain) -> list[Flaw]:
    """A broken link, or a head that is not the last entry: an entry was changed, added or taken away."""
    broken = broken_at(chain.entries)
    if broken is not None:
        return [Flaw(chain.case_id, f"entry {broken} does not follow from the one before", broken)]
    last_hash, last_seq = (chain.entries[-1].hash, chain.entries[-1].seq) if chain.entries else (GENESIS, 0)
    if (last_hash, last_seq) != (chain.head, chain.seq):
        return [Flaw(chain.case_id, f"the journal ends at {last_seq}, the case says {chain.seq}", last_seq)]
    return []


def text_flaws(chain: Chain, stored: Mapping[str, StoredText]) -> list[Flaw]:
    """A text that is gone, or is not the one its entry was sealed with. An erased one is no flaw."""
    flaws = []
    for seq, text_id, digest in _texts(chain):
        text = stored.get(text_id)
        if text is None:
            flaws.append(Flaw(chain.case_id, f"a text of entry {seq} is missing", seq))
        elif text.digest != digest or (text.body is not None and text_digest(text.salt, text.body) != digest):
            flaws.append(Flaw(chain.case_id, f"a text of entry {seq} was changed", seq))
    return flaws


def _texts(chain: Chain) -> Iterator[tuple[int, str, str]]:
    """(seq, text id, digest) of every free text the entries stand for."""
    for sealed in chain.entries:
        for value in chains.to_entry(sealed).data.values():
            if isinstance(value, dict) and value.keys() >= {"text", "digest"}:
                yield sealed.seq, value["text"], value["digest"]


async def _figure_flaws(connection: Connection, found: Sequence[Chain]) -> list[Flaw]:
    """Cases whose promises in the rows are not those of the journal."""
    here = [chain.case_id for chain in found]
    told = _by_case(recompute(await _with_partners(connection, found)))
    kept = _by_case(await promises_of_cases(connection, here))
    return [
        Flaw(case_id, "its figures do not follow from its journal")
        for case_id in here
        if told.get(case_id) != kept.get(case_id)
    ]


async def _with_partners(connection: Connection, found: Sequence[Chain]) -> list[JournalEntry]:
    """The entries of these journals and of those they were merged with: one tells how the other went on."""
    entries: list[JournalEntry] = []
    read: set[str] = set()
    while found:
        new = [chains.to_entry(sealed) for chain in found for sealed in chain.entries]
        entries += new
        read |= {chain.case_id for chain in found}
        missing = {partner for entry in new for partner in _partners(entry.data)} - read
        found = await chains.read_chains(connection, sorted(missing)) if missing else []
    return entries


def _partners(data: Mapping[str, Any]) -> set[str]:
    return {str(data[key]) for key in ("into", "from_case") if data.get(key)}


def _by_case(promises: Sequence[Promise]) -> dict[str, list[Promise]]:
    cases: dict[str, list[Promise]] = {}
    for promise in promises:
        cases.setdefault(promise.case_id, []).append(_comparable(promise))
    return cases


def _comparable(promise: Promise) -> Promise:
    """Without names and words: no figure depends on them, and the journal does not repeat them all."""
    status = promise.status if promise.ended else ""
    return replace(promise, source=None, metric=None, owner_reason="", account_name="", status=status)
