"""How every command speaks: answers on standard output, complaints in one clear line on standard error."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import typer
from rich.console import Console
from typer.core import TyperGroup

from shared.errors import CloseloopError, ConfigurationError

Answer = TypeVar("Answer")

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

FAILED = 1
MISUSED = 2


class ClearErrors(TyperGroup):
    """Shows our own errors, and what the system says of files and disks, as a line for people in place of a
    traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigurationError as error:
            complain(str(error))
            raise typer.Exit(MISUSED) from error
        except CloseloopError as error:
            complain(str(error))
            raise typer.Exit(FAILED) from error
        except OSError as error:
            complain(f"{error.filename}: {error.strerror}" if error.filename else str(error))
            raise typer.Exit(FAILED) from error


def complain(text: str) -> None:
    err.print(f"[bold red]closeloop:[/] {plain(text)}")


def warn(text: str) -> None:
    err.print(f"[bold yellow]closeloop:[/] {plain(text)}")


def plain(text: str) -> str:
    """Text that rich shows as it is."""
    return text.replace("[", r"\[")


def run(work: Coroutine[Any, Any, Answer]) -> Answer:
    """The answer of `work`, on a loop of its own."""
    return asyncio.run(work)
