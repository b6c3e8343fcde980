"""Files for their owner alone: what customers wrote, and secrets."""

import os
import secrets
from contextlib import suppress
from pathlib import Path


def create(path: Path) -> None:
    """An empty file, unless there is one. One that is there is not opened: to close it would end the locks that all of
    this process's SQLite connections have on it (https://www.sqlite.org/howtocorrupt.html, 2.2)."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def write(path: Path, text: str) -> None:
    """The whole text or, when the disk is full or the process ends, what was there before."""
    fresh = _written_beside(path, text)
    fresh.replace(path)


def write_first(path: Path, text: str) -> str:
    """What the file says: `text`, unless somebody wrote it before. Nobody sees half of it."""
    fresh = _written_beside(path, text)
    try:
        with suppress(FileExistsError):
            os.link(fresh, path)
    finally:
        fresh.unlink()
    return path.read_text(encoding="utf-8")


def _written_beside(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    create(fresh)
    try:
        fresh.write_text(text, encoding="utf-8")
    except OSError:
        fresh.unlink()
        raise
    return fresh
