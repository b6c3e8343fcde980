"""Settings and policy that are right alone but wrong together are refused, or warned of, in words."""

import pytest

from services.hosting.startup import check, real_slack, warnings
from shared.errors import ConfigurationError
from shared.policy import Policy, RoutingPolicy
from shared.settings import DatabaseSettings, Settings

TOKEN = {"bot_token": "xoxb-1", "signing_secret": "s"}


def test_a_real_slack_token_needs_a_fallback_owner_of_ones_own() -> None:
    settings = Settings.model_validate({"slack": TOKEN})
    with pytest.raises(ConfigurationError, match=r"routing\.fallback_owner"):
        check(settings, Policy())
    check(settings, Policy(routing=RoutingPolicy(fallback_owner="cleo@acme.example")))


@pytest.mark.parametrize(
    ("api_url", "real"),
    [
        ("https://slack.com/api/", True),
        ("https://acme.slack.com/api/", True),
        ("https://slack-gov.com/api/", True),
        ("http://127.0.0.1:8009/api/", False),
        ("https://notslack.com/api/", False),
    ],
)
def test_a_double_of_slack_is_not_slack(api_url: str, real: bool) -> None:
    assert real_slack(Settings.model_validate({"slack": {**TOKEN, "api_url": api_url}})) is real


def test_defaults_on_loopback_give_no_warning() -> None:
    assert list(warnings(Settings(), "127.0.0.1")) == []


def test_what_is_probably_not_meant_is_said() -> None:
    settings = Settings.model_validate({"bus": {"url": "kafka://k:9092"}, "slack": {"bot_token": "xoxb-1"}})
    said = "\n".join(warnings(settings, "0.0.0.0"))
    assert "reachable from other machines" in said
    assert "CLOSELOOP_DATABASE__URL" in said
    assert "CLOSELOOP_SLACK__SIGNING_SECRET" in said


def test_kafka_with_postgresql_is_what_it_is_for() -> None:
    settings = Settings(database=DatabaseSettings(url="postgresql+asyncpg://u:p@h/d"))
    assert (
        list(
            warnings(settings.model_copy(update={"bus": settings.bus.model_copy(update={"url": "kafka://k:1"})}), "::1")
        )
        == []
    )
