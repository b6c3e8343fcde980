"""CSV files that people import: read with the line of every mistake, and taken whole or not at all."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import typer

from services.commands.terminal import FAILED, complain
from shared.errors import ConfigurationError

Row = TypeVar("Row")
Cells = Mapping[str, str]


@dataclass(frozen=True)
class Mistake:
    """`line` counts from 1, the header included."""

    line: int
    words: str


@dataclass(frozen=True)
class Columns:
    """`prefix`: any column that begins with it is known too."""

    known: Sequence[str]
    needed: Sequence[str]
    prefix: str = ""


def text_of(file: Path) -> str:
    """Raises ConfigurationError when it is not UTF-8."""
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as wrong:
        raise ConfigurationError(f"{file} is not UTF-8: save it as CSV UTF-8 ({wrong.reason})") from wrong


def read(text: str, columns: Columns, to_row: Callable[[int, Cells], Row]) -> tuple[list[Row], list[Mistake]]:
    """Every row that has the right form, and what is wrong with the others. `to_row` gets a row's line and its cells,
    an empty text where one is missing, and raises ValueError in words."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), restkey="", restval="")
    rows: list[Row] = []
    mistakes: list[Mistake] = []
    try:
        mistakes += [Mistake(1, words) for words in _wrong_header(reader.fieldnames or [], columns)]
        for cells in () if mistakes else reader:
            if not any(cells.values()):
                continue
            try:
                if "" in cells:
                    raise ValueError("more cells than columns: put a text with a comma in quotes")
                rows.append(to_row(reader.line_num, cells))
            except ValueError as wrong:
                mistakes.append(Mistake(reader.line_num, str(wrong)))
    except csv.Error as wrong:
        mistakes.append(Mistake(reader.line_num + 1, f"from here on it is no CSV: {wrong}"))
    return rows, mistakes


def refuse(file: Path, mistakes: Sequence[Mistake]) -> None:
    """Names every mistake and ends the command, if there are any."""
    for mistake in sorted(mistakes, key=lambda one: one.line):
        complain(f"{file}:{mistake.line}: {mistake.words}")
    if mistakes:
        complain(f"{len({one.line for one in mistakes})} lines with mistakes: nothing was imported")
        raise typer.Exit(FAILED)


def _wrong_header(names: Sequence[Any], columns: Columns) -> Iterator[str]:
    known = ", ".join([*columns.known, *([f"{columns.prefix}..."] if columns.prefix else [])])
    for name in columns.needed:
        if name not in names:
            yield f"the first line must name the column {name!r}; known are {known}"
    for name in dict.fromkeys(names):
        if name not in columns.known and not (columns.prefix and name.startswith(columns.prefix)):
            yield f"column {name!r} is not known; known are {known}"
        if names.count(name) > 1:
            yield f"column {name!r} is there twice"
