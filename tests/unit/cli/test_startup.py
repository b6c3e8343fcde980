"""Settings and policy that are right alone but wrong together are refused, or warned of, in words."""

from pathlib import Path

import pytest

from services.hosting.startup import check, real_slack, warnings
from shared.db.engine import Database
from shared.errors import ConfigurationError
from shared.policy import Policy, RoutingPolicy, parse_policy
from shared.settings import DatabaseSettings, Settings, load_settings

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


@pytest.mark.parametrize("url", ["mysql://u:secret@h/d", "postgresql://u:secret@h/d", "sqlite:///x.db", "closeloop.db"])
def test_a_database_we_cannot_use_is_refused_by_its_setting(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOSELOOP_DATABASE__URL", url)
    with pytest.raises(ConfigurationError, match=r"CLOSELOOP_DATABASE__URL.*postgresql\+asyncpg") as refused:
        load_settings()
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("password", ["se:cret/1", "secret@:secret", "sec/ret"])
def test_an_address_that_a_password_broke_is_refused_without_the_password(password: str) -> None:
    with pytest.raises(ConfigurationError, match=r"CLOSELOOP_DATABASE__URL.*%40") as refused:
        Database(DatabaseSettings(url=f"postgresql+asyncpg://u:{password}@h:x/d"))
    assert "cret" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("SLACK__BOT_TOKN", "xoxb-secret", "CLOSELOOP_SLACK__BOT_TOKN: there is no such setting"),
        ("SOURCES__ZENDESK__SECRTE", "secret", "CLOSELOOP_SOURCES__ZENDESK__SECRTE: there is no such setting"),
        ("HTTP", "secret", "CLOSELOOP_HTTP__PORT"),
    ],
)
def test_a_misspelt_setting_is_named_and_its_value_is_not_shown(
    name: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"CLOSELOOP_{name}", value)
    with pytest.raises(ConfigurationError, match=words) as refused:
        load_settings()
    assert "secret" not in str(refused.value)


def test_what_is_set_to_nothing_is_not_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copied deploy/env.example has many such lines."""
    monkeypatch.chdir(tmp_path)
    plain = load_settings()
    Path(".env").write_text("CLOSELOOP_SLACK__BOT_TOKEN=\nCLOSELOOP_HTTP__PORT=\nCLOSELOOP_AUTH__ADMIN_TOKEN=\n")
    monkeypatch.setenv("CLOSELOOP_DATABASE__URL", "")
    assert load_settings() == plain


@pytest.mark.parametrize("key", ["support_lead", "fallback_owner"])
def test_a_person_of_the_policy_is_an_email(key: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"policy\.toml: routing\.{key}: write a person's e-mail"):
        parse_policy(f'[routing]\n{key} = "the lead"')
    assert getattr(parse_policy(f'[routing]\n{key} = " Lea@Us.example"').routing, key) == "lea@us.example"


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
