"""The admin token that is made at the first start: whole, one for all processes, and its owner's alone."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.auth import with_admin_token
from shared.errors import ConfigurationError
from shared.settings import Settings


def token(file: Path) -> str:
    secret = with_admin_token(Settings(_env_file=None), file).auth.admin_token
    assert secret is not None
    return secret.get_secret_value()


def test_services_that_start_together_have_one_token(tmp_path: Path) -> None:
    file = tmp_path / "var/admin-token"
    with ThreadPoolExecutor(8) as starting:
        tokens = set(starting.map(token, [file] * 8))
    assert tokens == {file.read_text().strip()}
    assert file.stat().st_mode & 0o077 == 0
    assert [path.name for path in file.parent.iterdir()] == ["admin-token"]


def test_a_full_disk_leaves_no_empty_token_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty one would shut everybody out for ever."""

    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    file = tmp_path / "admin-token"
    with monkeypatch.context() as disk:
        disk.setattr(Path, "write_text", full)
        with pytest.raises(OSError, match="No space"):
            token(file)
    assert os.listdir(tmp_path) == []
    assert token(file)


def test_an_empty_token_file_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "admin-token").touch()
    with pytest.raises(ConfigurationError, match="is empty: delete it"):
        token(tmp_path / "admin-token")
