"""What goes into the logs when something breaks: where, and what kind of error; never what it choked on (G11)."""

import subprocess
import sys

import pytest

from tests.support.closeloop import environment

# A process of its own: pytest has handlers on the root logger already.
SCRIPT = """
import asyncio
import logging
import structlog
from shared.errors import PoisonError
from shared.observability import configure_logging
from shared.settings import LogSettings

def translate(text):
    try:
        int(text)
    except ValueError as wrong:
        raise PoisonError("no number in score") from wrong

async def forgotten():
    asyncio.get_running_loop().create_future().set_exception(ValueError("Mia wrote this"))

configure_logging(LogSettings(format="{format}"))
try:
    translate("Mia wrote this")
except PoisonError:
    structlog.get_logger().exception("loop_failed")
    logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
asyncio.run(forgotten())
"""


@pytest.mark.parametrize("form", ["json", "console"])
def test_g11_the_log_of_an_unexpected_error_says_where_and_quotes_nobody(form: str) -> None:
    command = [sys.executable, "-c", SCRIPT.replace("{format}", form)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60, check=True)
    assert "Mia" not in done.stderr
    assert "Future exception was never retrieved" in done.stderr
    for logged in (done.stderr.partition("ERROR uvicorn.error")[0], done.stderr.partition("ERROR uvicorn.error")[2]):
        assert "in translate" in logged
        assert "ValueError" in logged
        assert "PoisonError: no number in score" in logged
