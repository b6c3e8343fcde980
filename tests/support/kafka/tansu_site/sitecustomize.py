"""Python runs this at start: gives a program that talks to Tansu the idempotence of tests/support/kafka."""

import runpy
from pathlib import Path

runpy.run_path(str(Path(__file__).parents[1] / "idempotence.py"))["install"]()
