"""The options of a source: checked when the service starts, never when a customer's answer comes in."""

from datetime import timedelta
from typing import Any

import pytest
import structlog

from services.ingest.scales import NumberScale
from services.ingest.sources import BY_NAME
from services.ingest.sources.options import parse_options
from services.ingest.switchboard import open_sources
from shared.errors import ConfigurationError
from shared.policy import Policy
from shared.settings import Settings


def parse(**table: Any) -> dict[str, Any]:
    return parse_options(BY_NAME["zendesk"], table)[0]


def test_options_are_ready_for_use_afterwards() -> None:
    parsed = parse(
        replay_window="10m",
        csat_scale=[0, 2],
        ces_scale={"min": 1, "max": 5, "reversed": True},
        rating_text_map={" Gut ": "good"},
    )
    assert parsed == {
        "replay_window": timedelta(minutes=10),
        "csat_scale": NumberScale("csat", 0, 2),
        "ces_scale": NumberScale("ces", 1, 5, reversed=True),
        "rating_text_map": {"gut": "good"},
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("replay_window", "five minutes"),
        ("replay_window", 300),
        ("unsigned", "yes"),
        ("csat_scale", [5, 1]),
        ("csat_scale", ["1", "5"]),
        ("csat_scale", [True, 5]),
        ("nps_scale", {"min": 0}),
        ("nps_scale", {"min": 0, "max": 10, "step": 1}),
        ("rating_text_map", ["Gut"]),
        ("rating_text_map", {"Gut": "great"}),
        ("rating_text_map", {"Gut": 6}),
        ("status_text_map", {"Gelöst": "done"}),
        ("subdomain", ""),
        ("subdomain", 5),
    ],
)
def test_a_malformed_option_stops_the_start_and_is_named(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=rf"sources\.zendesk\.{name}: "):
        parse(**{name: value})


def test_what_nobody_knows_is_warned_about_loudly() -> None:
    policy = Policy(sources={"zendesk": {"subdomian": "acme"}, "intercom": {}, "zendeks": {}})
    settings = Settings(_env_file=None, sources={"zendesk": {"secret": "s"}, "acme": {"secret": "s"}})
    with structlog.testing.capture_logs() as logs:
        assert list(open_sources(settings, policy)) == ["zendesk"]
    said = {line["event"]: line.get("key") or line.get("setting") or line["switch_on_with"] for line in logs}
    assert said == {
        "unknown_source_option": "sources.zendesk.subdomian",
        "unknown_source_in_policy": "sources.zendeks",
        "unknown_source_in_settings": "CLOSELOOP_SOURCES__ACME__SECRET",
        "source_is_off": "CLOSELOOP_SOURCES__INTERCOM__SECRET",
    }
    assert {line["log_level"] for line in logs} == {"warning"}


def test_a_standard_secret_that_is_not_base64_is_warned_about() -> None:
    settings = Settings(_env_file=None, sources={"standard": {"secret": "whsec_no base64"}})
    with structlog.testing.capture_logs() as logs:
        open_sources(settings, Policy())
    assert [line["event"] for line in logs] == ["secret_is_not_base64"]
    assert "whsec_no" not in str(logs)
