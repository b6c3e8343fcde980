"""Backups of embedded mode: both files as of one moment, while everything goes on, and the way back."""

import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from services.embedded.files import EmbeddedFiles
from shared.errors import CloseloopError, ConfigurationError

MANIFEST = "manifest.json"
FORMAT = 1
_PATIENCE_SECONDS = 30


class BackupFailed(CloseloopError):
    """SQLite does not let the files be copied: one is damaged, or the disk is full."""


class BadBackup(CloseloopError):
    """The file is no backup, or was damaged since it was written."""


@dataclass(frozen=True)
class Manifest:
    """What a backup holds; `files` are name -> bytes and SHA-256."""

    created_at: str
    files: dict[str, dict[str, Any]]


def write_backup(files: EmbeddedFiles, target: Path, now: datetime) -> Manifest:
    """Raises BackupFailed, and ConfigurationError when there is nothing to back up or `target` exists."""
    present = {name: path for name, path in files.named().items() if path.exists()}
    if not present:
        raise ConfigurationError("there are no embedded files to back up; for PostgreSQL use pg_dump")
    if target.exists():
        raise ConfigurationError(f"{target} exists already: choose another name")
    with tempfile.TemporaryDirectory(dir=target.absolute().parent, prefix=".backup-") as scratch:
        try:
            copies = _copy_all(present, Path(scratch))
        except sqlite3.Error as error:
            raise BackupFailed(f"{', '.join(map(str, present.values()))} cannot be copied: {error}") from error
        manifest = Manifest(now.isoformat(), {name: _describe(path) for name, path in copies.items()})
        archive = Path(scratch) / "archive"
        _write_tar(archive, manifest, copies)
        archive.rename(target)
    return manifest


def restore_backup(source: Path, files: EmbeddedFiles, now: datetime, *, force: bool) -> list[Path]:
    """Put the files of a backup in place; what was there is moved aside, and returned. Raises BadBackup, and
    ConfigurationError when files are there already and `force` is not set. Call it holding the files alone."""
    places = files.named()
    occupied = [path for path in places.values() if path.exists() and path.stat().st_size]
    if occupied and not force:
        raise ConfigurationError(f"{occupied[0]} exists already: say --force to move it aside")
    some_place = next(iter(places.values()), None)
    if some_place is None:
        raise ConfigurationError("these settings use no embedded files: restore PostgreSQL with its own tools")
    for place in places.values():
        place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=some_place.parent, prefix=".restore-") as scratch:
        restored = _read_tar(source, Path(scratch))
        if set(restored) - set(places):
            raise ConfigurationError(f"the backup holds {', '.join(sorted(restored))}, but the settings use less")
        aside = [moved for place in places.values() for moved in _move_aside(place, now)]
        for name, copy in restored.items():
            shutil.move(copy, places[name])
    return aside


def _copy_all(sources: dict[str, Path], scratch: Path) -> dict[str, Path]:
    """Copies as of one moment: nobody can write to the database while the snapshots of both files are opened, so no
    offset is ahead of its effect and nothing counts as relayed that the log has not. Copying then holds up nobody."""
    with ExitStack() as stack:
        first, *_ = sources.values()
        writer = stack.enter_context(closing(_connect(first)))
        writer.execute("BEGIN IMMEDIATE")
        snapshots = {name: stack.enter_context(closing(_snapshot(path))) for name, path in sources.items()}
        writer.execute("ROLLBACK")
        for name, snapshot in snapshots.items():
            with closing(sqlite3.connect(scratch / name)) as copy:
                snapshot.backup(copy)
                copy.execute("PRAGMA journal_mode=DELETE")
    return {name: scratch / name for name in sources}


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=_PATIENCE_SECONDS, isolation_level=None)


def _snapshot(path: Path) -> sqlite3.Connection:
    connection = _connect(path)
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return connection


def _describe(path: Path) -> dict[str, Any]:
    with path.open("rb") as data:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(data, "sha256").hexdigest()}


def _write_tar(archive: Path, manifest: Manifest, copies: dict[str, Path]) -> None:
    about = json.dumps(
        {"format": FORMAT, "created_at": manifest.created_at, "files": manifest.files}, indent=2
    ).encode()
    # It holds what customers wrote: for its owner only.
    with os.fdopen(os.open(archive, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as out:
        with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as tar:
            entry = tarfile.TarInfo(MANIFEST)
            entry.size = len(about)
            tar.addfile(entry, io.BytesIO(about))
            for name, path in copies.items():
                tar.add(path, arcname=name)
        out.flush()
        os.fsync(out.fileno())


def _read_tar(source: Path, scratch: Path) -> dict[str, Path]:
    try:
        with tarfile.open(source) as tar:
            about = tar.extractfile(MANIFEST)
            manifest = json.load(about) if about else {}
            if manifest["format"] != FORMAT:
                raise BadBackup(
                    f"{source} was written by another version, in format {manifest['format']}: use that one"
                )
            names = list(manifest["files"])
            for name in names:
                tar.extract(name, scratch, filter="data")
    except (tarfile.TarError, OSError, KeyError, TypeError, ValueError) as error:
        raise BadBackup(f"{source} cannot be read as a backup: {error}") from error
    for name in names:
        if _describe(scratch / name) != manifest["files"][name]:
            raise BadBackup(f"{source}: {name} was damaged since it was written (its SHA-256 differs)")
        (scratch / name).chmod(0o600)
    return {name: scratch / name for name in names}


def _move_aside(path: Path, now: datetime) -> list[Path]:
    moved = []
    for part in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        if part.exists():
            target = part.with_name(f"{part.name}.before-{now:%Y%m%dT%H%M%S}")
            part.replace(target)
            moved.append(target)
    return moved
