"""A backup is both files as of one moment; restoring refuses to destroy anything."""

import io
import json
import sqlite3
import tarfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.embedded.backup import BadBackup, restore_backup, write_backup
from services.embedded.files import EmbeddedFiles, held
from shared.errors import ConfigurationError
from shared.settings import DatabaseSettings, Settings

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


def make(folder: Path, *values: int) -> EmbeddedFiles:
    """Two files in WAL mode, each with these values."""
    folder.mkdir(exist_ok=True)
    files = EmbeddedFiles(folder / "closeloop.db", folder / "events.db")
    for path in files.named().values():
        with closing(sqlite3.connect(path, isolation_level=None)) as sql:
            sql.executescript("PRAGMA journal_mode=WAL; CREATE TABLE t (value INTEGER)")
            sql.executemany("INSERT INTO t VALUES (?)", [(value,) for value in values])
    return files


def values(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as sql:
        return [row[0] for row in sql.execute("SELECT value FROM t")]


def test_what_was_backed_up_comes_back(tmp_path: Path) -> None:
    files = make(tmp_path / "var", 1, 2)
    with closing(sqlite3.connect(tmp_path / "var/closeloop.db", isolation_level=None)) as open_elsewhere:
        open_elsewhere.execute("INSERT INTO t VALUES (3)")
        manifest = write_backup(files, tmp_path / "b.tar.gz", NOW)
    assert set(manifest.files) == {"closeloop.db", "events.db"}
    assert (tmp_path / "b.tar.gz").stat().st_mode & 0o077 == 0

    elsewhere = EmbeddedFiles(tmp_path / "new/closeloop.db", tmp_path / "new/events.db")
    assert restore_backup(tmp_path / "b.tar.gz", elsewhere, NOW, force=False) == []
    assert values(tmp_path / "new/closeloop.db") == [1, 2, 3]
    assert values(tmp_path / "new/events.db") == [1, 2]


def test_restoring_over_something_needs_force_and_moves_it_aside(tmp_path: Path) -> None:
    old = make(tmp_path / "old", 1)
    write_backup(old, tmp_path / "b.tar.gz", NOW)
    newer = make(tmp_path / "newer", 7)
    with pytest.raises(ConfigurationError, match="--force"):
        restore_backup(tmp_path / "b.tar.gz", newer, NOW, force=False)
    assert values(tmp_path / "newer/closeloop.db") == [7]

    aside = restore_backup(tmp_path / "b.tar.gz", newer, NOW, force=True)
    assert values(tmp_path / "newer/closeloop.db") == [1]
    assert values(next(path for path in aside if path.name.startswith("closeloop.db.before-"))) == [7]


def test_a_damaged_backup_is_refused_before_anything_is_touched(tmp_path: Path) -> None:
    files = make(tmp_path / "var", 1)
    write_backup(files, tmp_path / "b.tar.gz", NOW)
    with tarfile.open(tmp_path / "b.tar.gz") as tar:
        contents = {name: tar.extractfile(name).read() for name in tar.getnames()}  # type: ignore[union-attr]
    contents["events.db"] = contents["events.db"].replace(b"CREATE TABLE t", b"CREATE TABLE u")
    with tarfile.open(tmp_path / "damaged.tar", "w") as tar:
        for name, data in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    with pytest.raises(BadBackup, match=r"events\.db was damaged"):
        restore_backup(tmp_path / "damaged.tar", files, NOW, force=True)
    assert values(tmp_path / "var/events.db") == [1]


@pytest.mark.parametrize("content", [b"not an archive", json.dumps({"files": {}}).encode()])
def test_what_is_no_backup_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b").write_bytes(content)
    with pytest.raises(BadBackup, match="cannot be read as a backup"):
        restore_backup(tmp_path / "b", make(tmp_path / "var"), NOW, force=True)


def test_an_existing_archive_is_never_overwritten(tmp_path: Path) -> None:
    files = make(tmp_path / "var", 1)
    (tmp_path / "b.tar.gz").write_text("precious")
    with pytest.raises(ConfigurationError, match="exists already"):
        write_backup(files, tmp_path / "b.tar.gz", NOW)


def test_the_files_are_held_by_one_installation_at_a_time(tmp_path: Path) -> None:
    settings = Settings(database=DatabaseSettings(url=f"sqlite+aiosqlite:///{tmp_path}/closeloop.db"))
    with held(settings, alone=False), held(settings, alone=False):
        with pytest.raises(ConfigurationError, match="is running"):
            held(settings, alone=True).__enter__()
    with held(settings, alone=True):
        pass
