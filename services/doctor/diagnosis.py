"""What a question of the doctor may answer: good, a warning or bad, in words, with what to do."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import StrEnum

from services.router.channels.base import Channel
from services.startup import Configuration
from shared.bus.base import Bus
from shared.clock import Clock
from shared.db.engine import Database


class Level(StrEnum):
    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True)
class Diagnosis:
    """`todo` is empty where there is nothing to do."""

    level: Level
    words: str
    todo: str = ""


@dataclass(frozen=True)
class Patient:
    """One installation, connected. `channel` is None without a Slack token."""

    configuration: Configuration
    database: Database
    bus: Bus
    channel: Channel | None
    clock: Clock


Answers = AsyncIterator[Diagnosis]
Ask = Callable[[Patient], Answers]


def good(words: str) -> Diagnosis:
    return Diagnosis(Level.GOOD, words)


def warning(words: str, todo: str) -> Diagnosis:
    return Diagnosis(Level.WARNING, words, todo)


def bad(words: str, todo: str) -> Diagnosis:
    return Diagnosis(Level.BAD, words, todo)
