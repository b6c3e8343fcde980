"""Names the rooms of tests/support whose fixtures and hooks every test may use, and how Hypothesis behaves."""

from hypothesis import HealthCheck, settings

from tests.support.examples import examples

pytest_plugins = [
    "tests.support.isolation",
    "tests.support.fixtures",
    "tests.support.buses",
    "tests.support.databases",
    "tests.support.deployments",
    "tests.support.skips",
]

# How fast a machine draws examples says nothing about the code; what fails can be replayed from what is printed.
settings.register_profile(
    "closeloop",
    deadline=None,
    print_blob=True,
    max_examples=examples(50),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("closeloop")
