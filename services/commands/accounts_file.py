"""Account records as CSV: one row an account, read with the line of every mistake, and written back the same way.

Columns as in the account record; several values in a cell are separated by `;`. `alias.<source>` holds the ids a vendor
has for the account; `contacts` holds `email | name | role`.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from services.commands import csv_file
from services.commands.csv_file import Cells, Columns, Mistake

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


def read(text: str) -> tuple[list[Row], list[Mistake]]:
    """Every row that has the right form, and what is wrong with the others. An empty cell leaves the field out."""
    seen: dict[str, int] = {}

    def once(line: int, cells: Cells) -> Row:
        row = _row(line, cells)
        if row.id in seen:
            raise ValueError(f"id {row.id} is already on line {seen[row.id]}")
        seen[row.id] = line
        return row

    return csv_file.read(text, Columns(COLUMNS, needed=(ID,), prefix=ALIAS), once)


def write(records: Iterable[Mapping[str, Any]]) -> str:
    """The CSV that `read` reads back to the same records."""
    listed = list(records)
    sources = sorted({source for record in listed for source in record.get("aliases") or {}})
    out = io.StringIO()
    writer = csv.DictWriter(out, [*COLUMNS, *(ALIAS + source for source in sources)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(_cells(record) for record in listed)
    return out.getvalue()


def _row(line: int, cells: Cells) -> Row:
    account_id = cells[ID].strip()
    if not account_id:
        raise ValueError(f"{ID} is empty")
    record: dict[str, Any] = {name: value for name in TEXTS if (value := cells.get(name, "").strip())}
    if "arr" in record:
        record["arr"] = _number(record["arr"])
    if domains := _many(cells.get("domains", "")):
        record["domains"] = domains
    if contacts := [_contact(text) for text in _many(cells.get("contacts", ""))]:
        record["contacts"] = contacts
    aliases = {name.removeprefix(ALIAS): _many(value) for name, value in cells.items() if name.startswith(ALIAS)}
    if aliases := {source: found for source, found in aliases.items() if found}:
        record["aliases"] = aliases
    return Row(line, account_id, record)


def _many(cell: str) -> list[str]:
    return [part.strip() for part in cell.split(_MANY) if part.strip()]


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
