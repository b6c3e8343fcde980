"""Names the rooms of tests/support whose fixtures and hooks every test may use."""

pytest_plugins = [
    "tests.support.fixtures",
    "tests.support.skips",
]
