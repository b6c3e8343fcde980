"""A backup is both files as of one moment; restoring refuses to destroy anything."""

import io
import json
import sqlite3
import tarfile
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.embedded.backup import BackupFailed, BadBackup, restore_backup, write_backup
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


def rewrite(archive: Path, changes: dict[str, Callable[[bytes], bytes]]) -> None:
    with tarfile.open(archive) as tar:
        contents = {name: tar.extractfile(name).read() for name in tar.getnames()}  # type: ignore[union-attr]
    with tarfile.open(archive, "w:gz") as tar:
        for name, data in contents.items():
            entry, changed = tarfile.TarInfo(name), changes.get(name, bytes)(data)
            entry.size = len(changed)
            tar.addfile(entry, io.BytesIO(changed))


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
    damage = {"events.db": lambda data: data.replace(b"CREATE TABLE t", b"CREATE TABLE u")}
    rewrite(tmp_path / "b.tar.gz", damage)
    with pytest.raises(BadBackup, match=r"events\.db was damaged"):
        restore_backup(tmp_path / "b.tar.gz", files, NOW, force=True)
    assert values(tmp_path / "var/events.db") == [1]


def test_a_backup_of_a_later_format_is_left_to_the_version_that_wrote_it(tmp_path: Path) -> None:
    write_backup(make(tmp_path / "var", 1), tmp_path / "b.tar.gz", NOW)
    rewrite(tmp_path / "b.tar.gz", {"manifest.json": lambda data: data.replace(b'"format": 1', b'"format": 2')})
    with pytest.raises(BadBackup, match="format 2"):
        restore_backup(tmp_path / "b.tar.gz", make(tmp_path / "new"), NOW, force=True)


def test_a_file_that_the_backup_has_not_does_not_stay_beside_the_restored_one(tmp_path: Path) -> None:
    """Offsets of another log would skip what the restored database never saw."""
    files = make(tmp_path / "var", 1)
    write_backup(EmbeddedFiles(files.database, None), tmp_path / "b.tar.gz", NOW)
    aside = restore_backup(tmp_path / "b.tar.gz", files, NOW, force=True)
    assert not (tmp_path / "var/events.db").exists()
    assert any(path.name.startswith("events.db.before-") for path in aside)


def test_what_sqlite_refuses_to_copy_is_said_in_words_and_leaves_nothing(tmp_path: Path) -> None:
    files = make(tmp_path / "var", 1)
    (tmp_path / "var/events.db").write_bytes(b"no database, for sure" * 100)
    with pytest.raises(BackupFailed, match="not a database"):
        write_backup(files, tmp_path / "b.tar.gz", NOW)
    assert [path.name for path in tmp_path.iterdir()] == ["var"]


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
