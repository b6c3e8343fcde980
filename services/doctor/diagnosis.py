"""What a question of the doctor may answer: good, a warning or bad, in words, with what to do."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import StrEnum

from services.router.channels.base import Channel
from shared.db.engine import Database
from shared.runtime import Runtime


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

    runtime: Runtime
    database: Database
    channel: Channel | None


Answers = AsyncIterator[Diagnosis]
Ask = Callable[[Patient], Answers]


def good(words: str) -> Diagnosis:
    return Diagnosis(Level.GOOD, words)


def warning(words: str, todo: str) -> Diagnosis:
    return Diagnosis(Level.WARNING, words, todo)


def bad(words: str, todo: str) -> Diagnosis:
    return Diagnosis(Level.BAD, words, todo)
