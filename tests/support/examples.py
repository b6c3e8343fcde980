"""How many examples Hypothesis draws for a property: so many times the usual number as CLOSELOOP_TEST_EXAMPLES says."""

import os

TIMES = int(os.environ.get("CLOSELOOP_TEST_EXAMPLES", "1"))


def examples(usual: int) -> int:
    """The number to draw where `usual` are enough for every day."""
    return usual * TIMES
