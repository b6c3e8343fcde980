"""Ends the processes of a test directory and removes it when the process that started us is gone."""

import signal
import sys
from pathlib import Path

from tests.support.processes import end_all_in

if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    end_all_in(Path(sys.argv[1]))
