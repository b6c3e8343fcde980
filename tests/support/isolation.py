"""Whoever runs the tests may have settings of their own, exported or in .env: here they count for nothing."""

import os
from pathlib import Path

import pytest

from shared.settings import PREFIX

OURS = ("CLOSELOOP_TEST_", "CLOSELOOP_STRESS_")


@pytest.hookimpl(tryfirst=True)
def pytest_configure() -> None:
    """Before any module is imported: processes that tests start would inherit them, too."""
    for name in [name for name in os.environ if name.startswith(PREFIX) and not name.startswith(OURS)]:
        del os.environ[name]


@pytest.fixture(scope="session", autouse=True)
def _away_from_dotenv(tmp_path_factory: pytest.TempPathFactory) -> None:
    if Path(".env").exists():
        os.chdir(tmp_path_factory.mktemp("without-dotenv"))
