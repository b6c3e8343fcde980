"""What may be tried again, and how long to wait before: pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from shared.errors import TransientError


@dataclass(frozen=True, slots=True)
class Backoff:
    """Spans that double from `first` to `cap`, each shortened by up to half so that many do not come back at once."""

    first: timedelta = timedelta(milliseconds=100)
    cap: timedelta = timedelta(seconds=5)

    def span(self, attempt: int, jitter: float) -> timedelta:
        """Before attempt `attempt` + 1 (from 1); `jitter` is 0 to 1. Always between half of `first` and `cap`."""
        # Far before 2**32 times `first` the cap holds; without a bound the power itself would overflow.
        whole = min(self.cap, self.first * 2 ** min(attempt - 1, 32))
        return whole * (1 - jitter / 2)


Jitter = Callable[[], float]


def is_transient(error: BaseException) -> bool:
    """Whether trying the same again can work (G3); anything else is the message's fault, or a bug's."""
    return isinstance(error, TransientError | OSError)  # ConnectionError and TimeoutError are OSErrors
