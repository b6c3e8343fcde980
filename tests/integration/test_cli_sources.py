"""`closeloop sources` as an administrator runs it."""

import re
from pathlib import Path

import pytest

from tests.support.closeloop import closeloop
from tests.support.payloads import HOME

SETTINGS = {"HTTP__PUBLIC_URL": "https://feedback.acme.example"}
RATED = str(HOME / "zendesk" / "ticket_csat_received_good.json")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def test_setup_prints_steps_address_secret_and_template(home: Path) -> None:
    found = closeloop(home, "sources", "setup", "zendesk", settings=SETTINGS)
    assert found.returncode == 0, found.stderr
    assert "https://feedback.acme.example/v1/webhooks/zendesk" in found.stdout
    assert "CLOSELOOP_SOURCES__ZENDESK__SECRET=" in found.stdout
    assert "CLOSELOOP_SOURCES__ZENDESK__API_TOKEN=" in found.stdout
    assert '"rating": "{{satisfaction.current_rating}}"' in found.stdout


def test_setup_makes_the_secret_where_the_vendor_has_none_and_says_when_it_is_set(home: Path) -> None:
    found = closeloop(home, "sources", "setup", "gorgias")
    made = re.search(r"CLOSELOOP_SOURCES__GORGIAS__SECRET=(\S{20,})", found.stdout)
    assert made
    again = closeloop(home, "sources", "setup", "gorgias", settings={"SOURCES__GORGIAS__SECRET": made[1]})
    assert made[1] not in again.stdout
    assert "is set" in again.stdout


def test_a_body_whose_meaning_is_in_a_header_says_so(home: Path) -> None:
    body = str(HOME / "helpscout" / "satisfaction_ratings_great.json")
    assert "-H 'x-helpscout-event" in closeloop(home, "sources", "test", "helpscout", body).stdout
    header = "X-HelpScout-Event: satisfaction.ratings"
    assert closeloop(home, "sources", "test", "helpscout", body, "-H", header).returncode == 0


def test_an_unknown_source_is_answered_with_those_there_are(home: Path) -> None:
    found = closeloop(home, "sources", "setup", "zendessk")
    assert found.returncode == 2
    assert "zendesk" in found.stderr


def test_a_body_is_tried_without_being_sent(home: Path) -> None:
    good = closeloop(home, "sources", "test", "zendesk", RATED)
    assert good.returncode == 0, good.stderr
    assert '"normalised_score": 5' in good.stdout
    (home / "odd.json").write_text('{"type": 7}')
    bad = closeloop(home, "sources", "test", "zendesk", "odd.json")
    assert bad.returncode == 1
    assert "422" in bad.stdout


def test_the_list_says_what_to_do_before_there_is_anything(home: Path) -> None:
    (home / "var").mkdir()
    missing = closeloop(home, "sources")
    assert missing.returncode == 2
    assert "closeloop db upgrade" in missing.stderr
    assert closeloop(home, "db", "upgrade").returncode == 0
    found = closeloop(home, "sources")
    assert found.returncode == 0
    assert "closeloop sources setup" in found.stdout
