"""Account records as CSV: one row an account, read with the line of every mistake, and written back the same way.

Columns as in the account record; several values in a cell are separated by `;`. `alias.<source>` holds the ids a vendor
has for the account; `contacts` holds `email | name | role`.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ID = "id"
TEXTS = ("name", "tier", "segment", "arr", "currency", "renewal_date", "csm", "csm_manager", "support_lead")
COLUMNS = (ID, *TEXTS[:1], "domains", *TEXTS[1:], "contacts")
ALIAS = "alias."
_MANY = ";"
_INSIDE = "|"


@dataclass(frozen=True)
class Row:
    """One account as its JSON record; `line` counts from 1, the header included."""

    line: int
    id: str
    record: dict[str, Any]


@dataclass(frozen=True)
class Mistake:
    line: int
    words: str


def read(text: str) -> tuple[list[Row], list[Mistake]]:
    """Every row that has the right form, and what is wrong with the others. An empty cell leaves the field out."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), restkey="", restval=None)
    mistakes = [Mistake(1, words) for words in _wrong_header(reader.fieldnames or [])]
    if mistakes:
        return [], mistakes
    rows: list[Row] = []
    seen: dict[str, int] = {}
    for cells in reader:
        line = reader.line_num
        if not any(cells.values()):
            continue
        try:
            row = _row(line, cells)
        except ValueError as wrong:
            mistakes.append(Mistake(line, str(wrong)))
            continue
        if row.id in seen:
            mistakes.append(Mistake(line, f"id {row.id} is already on line {seen[row.id]}"))
        else:
            seen[row.id] = line
            rows.append(row)
    return rows, mistakes


def write(records: Iterable[Mapping[str, Any]]) -> str:
    """The CSV that `read` reads back to the same records."""
    listed = list(records)
    sources = sorted({source for record in listed for source in record.get("aliases") or {}})
    out = io.StringIO()
    writer = csv.DictWriter(out, [*COLUMNS, *(ALIAS + source for source in sources)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(_cells(record) for record in listed)
    return out.getvalue()


def _wrong_header(names: Sequence[str]) -> Iterator[str]:
    if ID not in names:
        yield f"the first line must name the columns, at least {ID}; known are {', '.join(COLUMNS)}, {ALIAS}<source>"
    for name in names:
        if name not in COLUMNS and not name.startswith(ALIAS):
            yield f"column {name!r} is not known; known are {', '.join(COLUMNS)}, {ALIAS}<source>"
    for name in {name for name in names if names.count(name) > 1}:
        yield f"column {name!r} is there twice"


def _row(line: int, cells: Mapping[str, Any]) -> Row:
    if "" in cells:
        raise ValueError("more cells than columns: put a text with a comma in quotes")
    account_id = (cells[ID] or "").strip()
    if not account_id:
        raise ValueError(f"{ID} is empty")
    record: dict[str, Any] = {name: value for name in TEXTS if (value := (cells.get(name) or "").strip())}
    if "arr" in record:
        record["arr"] = _number(record["arr"])
    if domains := _many(cells.get("domains")):
        record["domains"] = domains
    if contacts := [_contact(text) for text in _many(cells.get("contacts"))]:
        record["contacts"] = contacts
    aliases = {name.removeprefix(ALIAS): _many(value) for name, value in cells.items() if name.startswith(ALIAS)}
    if aliases := {source: found for source, found in aliases.items() if found}:
        record["aliases"] = aliases
    return Row(line, account_id, record)


def _many(cell: str | None) -> list[str]:
    return [part.strip() for part in (cell or "").split(_MANY) if part.strip()]


def _number(text: str) -> float:
    try:
        return float(text.replace("_", "").replace(" ", ""))
    except ValueError:
        raise ValueError(f"arr: {text!r} is not a number; write it as 250000 or 250000.50") from None


def _contact(text: str) -> dict[str, str]:
    email, name, role, *rest = [part.strip() for part in text.split(_INSIDE)] + ["", ""]
    if any(rest):
        raise ValueError(f"contacts: {text!r} has too many parts; write email | name | role")
    return {"email": email} | ({"name": name} if name else {}) | ({"role": role} if role else {})


def _cells(record: Mapping[str, Any]) -> dict[str, Any]:
    cells: dict[str, Any] = {name: record.get(name) for name in (ID, *TEXTS)}
    if isinstance(cells["arr"], float):
        cells["arr"] = f"{cells['arr']:.15g}"
    cells["domains"] = _MANY.join(record.get("domains") or [])
    cells["contacts"] = f"{_MANY} ".join(_contact_cell(contact) for contact in record.get("contacts") or [])
    return cells | {ALIAS + source: _MANY.join(found) for source, found in (record.get("aliases") or {}).items()}


def _contact_cell(contact: Mapping[str, Any]) -> str:
    parts = [contact.get("email") or "", contact.get("name") or "", contact.get("role") or ""]
    return f" {_INSIDE} ".join(parts).rstrip(f" {_INSIDE}")
