"""Names the rooms of tests/support whose fixtures and hooks every test may use."""

pytest_plugins = [
    "tests.support.buses",
    "tests.support.databases",
    "tests.support.fixtures",
    "tests.support.deployments",
    "tests.support.skips",
]
