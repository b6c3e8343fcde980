"""Raw scores of any vendor to ours: CSAT 1-5, NPS 0-10, CES 1-7, higher is better, two decimals.

A source declares the scale and its direction. Both kinds map linearly onto the metric's own range; the raw value and
its scale are kept, because a thumb is not comparable with five points.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

RANGES: Final[Mapping[str, tuple[int, int]]] = {"csat": (1, 5), "nps": (0, 10), "ces": (1, 7)}

_NUMBER = re.compile(r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_MISSING = ("", "null", "none")
_SHOWN = 40
_WORD_BITS = 64


class ScoreError(ValueError):
    """The score is of the wrong type or outside its scale; the text names the scale."""


class Score(NamedTuple):
    """A score with its scale: `normalised` is in the metric's range of RANGES."""

    metric: str
    raw: Any
    raw_scale: dict[str, Any]
    normalised: float | int


class Scale(Protocol):
    """A declared scale of one metric."""

    @property
    def metric(self) -> str: ...

    def score(self, raw: Any) -> Score | None:
        """None where nobody answered. Raises ScoreError."""
        ...


@dataclass(frozen=True)
class NumberScale:
    """Numbers from `minimum` to `maximum`; `reversed` where a high number is bad. Without `fractions`, whole ones."""

    metric: str
    minimum: float | int
    maximum: float | int
    reversed: bool = False
    fractions: bool = False
    described: dict[str, Any] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        if self.metric not in RANGES:
            raise ScoreError(f"a metric is one of {', '.join(RANGES)}, not {shown(self.metric)}")
        if not self.minimum < self.maximum:
            raise ScoreError(
                f"the {self.metric} scale {self.minimum} to {self.maximum} is empty: give min below max, "
                "and reversed = true where a low number is good"
            )
        described: dict[str, Any] = {"type": "integer", "min": self.minimum, "max": self.maximum}
        if self.reversed:
            described["reversed"] = True
        object.__setattr__(self, "described", described)

    def score(self, raw: Any) -> Score | None:
        """None when there is no score (null, an empty string). Raises ScoreError."""
        if is_missing(raw):
            return None
        number = to_number(raw, self.metric)
        if not self.minimum <= number <= self.maximum:
            raise ScoreError(f"{self.metric} {shown(raw)} is outside its scale {self.minimum} to {self.maximum}")
        whole = number == int(number)
        if not whole and not self.fractions:
            raise ScoreError(
                f"{self.metric} {shown(raw)} is not a whole number on its scale {self.minimum} to {self.maximum}"
            )
        scale = self.described if whole else {**self.described, "type": "number"}
        return Score(self.metric, raw, scale, self._normalise(number))

    def _normalise(self, number: float | int) -> float | int:
        low, high = RANGES[self.metric]
        up = (self.maximum - number) if self.reversed else (number - self.minimum)
        return _rounded(low + up * (high - low) / (self.maximum - self.minimum))


@dataclass(frozen=True)
class OrdinalScale:
    """Words in order, each with the value of the metric's range that it stands for."""

    metric: str
    values: tuple[Any, ...]
    maps_to: tuple[float | int, ...]
    described: dict[str, Any] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        described = {"type": "ordinal", "values": list(self.values), "maps_to": list(self.maps_to)}
        object.__setattr__(self, "described", described)

    def score(self, raw: Any, value: Any) -> Score:
        """The score of `value`, one of `values`, which the vendor spelt `raw`. Raises ScoreError."""
        try:
            place = self.values.index(value)
        except ValueError:
            names = ", ".join(map(str, self.values))
            raise ScoreError(f"{self.metric} {shown(raw)} is outside its scale {names}") from None
        return Score(self.metric, raw, self.described, self.maps_to[place])


@dataclass(frozen=True, slots=True)
class WordScale:
    """Words, or numbers written as words, each with its score on the metric's own range; None: nobody answered."""

    metric: str
    meanings: Mapping[str, float | int | None]

    def strays(self) -> list[str]:
        """The words that stand for nothing the metric can be."""
        low, high = RANGES[self.metric]
        return [word for word, value in self.meanings.items() if value is not None and not low <= value <= high]

    def score(self, raw: Any) -> Score | None:
        """Raises ScoreError."""
        if is_missing(raw):
            return None
        word = as_word(raw)
        if word not in self.meanings or word in self.strays():
            raise ScoreError(f"{self.metric} {shown(raw)} is outside its scale {', '.join(self.meanings)}")
        if self.meanings[word] is None:
            return None
        scored = {name: value for name, value in self.meanings.items() if value is not None}
        return OrdinalScale(self.metric, tuple(scored), tuple(scored.values())).score(raw, word)


GOOD_BAD = OrdinalScale("csat", ("bad", "good"), (1, 5))
CSAT_1_5 = NumberScale("csat", 1, 5)
NPS_0_10 = NumberScale("nps", 0, 10)
CES_1_7 = NumberScale("ces", 1, 7)


def is_missing(raw: Any) -> bool:
    """Null, an empty string, "null" and "none" mean that nobody answered; 0 is an answer."""
    return raw is None or (isinstance(raw, str) and raw.strip().lower() in _MISSING)


def as_word(value: Any) -> str:
    """A value for comparing with words: without regard to case; empty for what is none."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value.strip().casefold()
    return str(value) if isinstance(value, int) and value.bit_length() <= _WORD_BITS else ""


def words_of(value: Any) -> dict[str, float | int | None]:
    """`{ "Super" = 5, "Okay" = 3, "Keine Antwort" = "none" }`. Raises ScoreError."""
    if not isinstance(value, Mapping) or not value:
        raise ScoreError('words must be like { "Super" = 5, "Okay" = 3, "Schlecht" = 1 }')
    return {str(word).strip().casefold(): _meaning(meant) for word, meant in value.items()}


def _meaning(meant: Any) -> float | int | None:
    if meant == "none":
        return None
    if isinstance(meant, bool) or not isinstance(meant, int | float) or not 0 <= meant <= 10:
        raise ScoreError('words stand for a score on the metric\'s own range (CSAT 1-5, NPS 0-10, CES 1-7) or "none"')
    return meant


def to_number(raw: Any, metric: str = "score") -> float | int:
    """A number, or a string that is one. Raises ScoreError for booleans, NaN, infinities and everything else."""
    if isinstance(raw, str):
        text = raw.strip()
        if not _NUMBER.fullmatch(text):
            raise ScoreError(f"{metric} {shown(raw)} is not a number")
        return float(text) if "." in text else int(text)
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise ScoreError(f"{metric} {shown(raw)} is not a number")
    # The comparison is exact for integers of any size, and false for NaN.
    if not -1e15 <= raw <= 1e15:
        raise ScoreError(f"{metric} {shown(raw)} is not a number a scale can have")
    return raw


def shown(raw: Any) -> str:
    """A value fit for an error text: short, and without the contents of anything that is not a plain value."""
    if isinstance(raw, dict):
        return "an object"
    if isinstance(raw, list):
        return "a list"
    if isinstance(raw, int) and not isinstance(raw, bool) and abs(raw) >= 10**_SHOWN:
        return "a huge number"
    text = repr(raw) if isinstance(raw, str) else str(raw)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _rounded(value: float) -> float | int:
    rounded = round(value, 2)
    return int(rounded) if rounded == int(rounded) else rounded
