"""One manifest for every installation: with our address in it, or, behind a firewall, with none."""

import pytest

from services.commands.slack import TEMPLATE, filled
from services.router.slack import preflight
from shared.errors import ConfigurationError

MANIFEST = TEMPLATE.read_text(encoding="utf-8")


def test_every_address_is_ours() -> None:
    made = filled(MANIFEST, "https://loop.example.org/", socket_mode=False)
    assert "https://loop.example.org/slack/interactions" in made
    assert "https://loop.example.org/slack/commands" in made
    assert "closeloop.example.com" not in made
    assert "socket_mode_enabled: false" in made


def test_behind_a_firewall_there_is_no_address() -> None:
    made = filled(MANIFEST, "", socket_mode=True)
    assert "http" not in made
    assert "socket_mode_enabled: true" in made
    assert "command: /loops" in made


@pytest.mark.parametrize("url", ["", "http://loop.example.org", "loop.example.org", "https://a b"])
def test_what_slack_would_refuse_is_refused_here(url: str) -> None:
    with pytest.raises(ConfigurationError):
        filled(MANIFEST, url, socket_mode=False)


def test_the_manifest_asks_for_every_scope_that_the_check_wants() -> None:
    wanted = preflight._ALWAYS | preflight._IN_CHANNELS | preflight._IN_GROUPS
    assert [scope for scope in wanted if f"- {scope}\n" not in MANIFEST] == []
