"""Named crash points: where a test asks for it, the process is killed as by `kill -9`."""

import os
import signal

VARIABLE = "CLOSELOOP_TEST_CRASH_AT"
_NAMED = os.environ.get(VARIABLE)


def crash_point(name: str) -> None:
    """Die here, without cleaning up, when the environment named this point when it started."""
    if name == _NAMED:
        os.kill(os.getpid(), signal.SIGKILL)
