"""The twelve guarantees of the design: each has a test named after it, `test_g<number>_...`. G9 is tested here."""

import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ROOMS = [TESTS.parent / "services", TESTS.parent / "shared"]
OWN_TIME = ["shared/clock.py", "services/slack_sandbox/"]  # Slack has a clock of its own
READS_TIME = re.compile(r"\b(datetime\.(now|utcnow|today)|date\.today|time\.time|time\.gmtime|time\.localtime)\b")
ARCHITECTURE = TESTS.parent / "docs/architecture.md"
GUARANTEES = {
    1: "A 202 is durable",
    2: "Once, whatever arrives twice",
    3: "Offsets follow effects",
    4: "One transaction",
    5: "A deadline is a row",
    6: "Every flagged response has an owner",
    7: "A notice is seen once",
    8: "Every command is idempotent",
    9: "Time comes from `shared/clock.py`",
    10: "Figures are recomputable",
    11: "Customer text is data",
    12: "Bad input gets a clear error and is kept",
}


def test_g9_only_the_clock_reads_the_time() -> None:
    """Whoever asks the system for the time cannot be turned forward."""
    files = [file for room in ROOMS for file in room.rglob("*.py")]
    places = {file.relative_to(TESTS.parent).as_posix(): READS_TIME.findall(file.read_text()) for file in files}
    assert not [place for place, found in places.items() if found and not place.startswith(tuple(OWN_TIME))]


@cache
def names_of_tests() -> list[str]:
    texts = [file.read_text(encoding="utf-8") for file in TESTS.rglob("test_*.py")]
    return [name for text in texts for name in re.findall(r"^(?:async )?def (test_\w+)", text, re.MULTILINE)]


@pytest.mark.parametrize("number", GUARANTEES)
def test_every_guarantee_has_a_test_named_after_it(number: int) -> None:
    named = re.compile(rf"test_(?:g\d+_)*g{number}_\w+")
    assert [name for name in names_of_tests() if named.fullmatch(name)], f"G{number} {GUARANTEES[number]}: no test"


def test_no_test_is_named_after_a_guarantee_that_does_not_exist() -> None:
    numbers = {int(found) for name in names_of_tests() for found in re.findall(r"(?<=_)g(\d+)(?=_)", name)}
    assert numbers <= set(GUARANTEES)
