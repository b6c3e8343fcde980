"""CSV that spreadsheets open as text, never as a formula, one line at a time."""

import csv
import io
from collections.abc import AsyncIterator, Iterable
from datetime import date, datetime
from typing import Any

BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"
# The full-width ones too, in case a spreadsheet for East Asian languages takes them for the narrow ones.
_DANGEROUS = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r")


def cell(value: Any) -> str:
    """Text of a cell. Text that a spreadsheet would run as a formula gets a leading apostrophe (OWASP, CSV
    injection); numbers keep their sign."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime | date):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, int | float):
        return str(value)
    text = str(value).replace("\0", "")
    # Spreadsheets skip leading blanks before they look for a formula.
    return "'" + text if text.startswith(_DANGEROUS) or text.lstrip().startswith(_DANGEROUS) else text


def line(values: Iterable[Any]) -> str:
    """One CSV line (RFC 4180), its end included."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow([cell(value) for value in values])
    return out.getvalue()


async def lines(header: Iterable[str], rows: AsyncIterator[Iterable[Any]], bom: bool = False) -> AsyncIterator[str]:
    """The header, then each row as it comes; `bom` helps Excel to see UTF-8."""
    yield (BOM if bom else "") + line(header)
    async for row in rows:
        yield line(row)
