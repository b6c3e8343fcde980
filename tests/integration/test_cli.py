"""`closeloop` as people run it: a process in an empty directory, spoken to over HTTP and by its other commands."""

import json
import re
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.support import waiting
from tests.support.closeloop import CloseloopProcess, closeloop, closeloop_apart
from tests.support.processes import free_port
from tests.support.signing import WHSEC, sign

# Every process imports the whole program: seconds each when the machine is busy.
pytestmark = pytest.mark.timeout(300)

SECRET = "zendesk-secret"
eventually = partial(waiting.eventually, within=60)
SOURCES = {"SOURCES__ZENDESK__SECRET": SECRET, "SOURCES__STANDARD__SECRET": WHSEC}
ACCOUNTS = """id,name,domains,csm,support_lead
acme,Acme Ltd,acme.example,ana@example.com,lead@example.com
zeta,Zeta AG,zeta.example,ana@example.com,lead@example.com
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "installation"


@pytest.fixture
def up(home: Path) -> Iterator[CloseloopProcess]:
    with CloseloopProcess(home, "up", settings=SOURCES) as process:
        yield process


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloseloopProcess]:
    """One for all tests that leave no trace in it."""
    with CloseloopProcess(tmp_path_factory.mktemp("standing"), "up", settings=SOURCES) as process:
        yield process


def rate(process: CloseloopProcess, email: str, score: int = 1, number: int = 1) -> httpx.Response:
    """A survey response through the front door."""
    data = {"id": f"r{number}", "metric": "csat", "score": score, "respondent": {"email": email, "name": "Dora"}}
    body = json.dumps({"type": "survey.response.created", "data": data}).encode()
    headers = sign("standard", body, WHSEC, datetime.now(UTC), delivery_id=f"d{number}")
    return httpx.post(f"{process.base}/v1/webhooks/standard", content=body, headers=headers, trust_env=False)


def cases(process: CloseloopProcess) -> list[dict[str, Any]]:
    with process.client() as client:
        items: list[dict[str, Any]] = client.get("/v1/cases").raise_for_status().json()["items"]
        return items


def slack_messages(process: CloseloopProcess) -> list[dict[str, Any]]:
    answer = httpx.get(f"{process.base}/sandbox/_sandbox/messages", trust_env=False).raise_for_status()
    messages: list[dict[str, Any]] = answer.json()["messages"]
    return messages


def test_make_run_shows_sample_cards_a_console_and_lines_to_paste(home: Path) -> None:
    with CloseloopProcess(home, "up", "--samples") as process:
        eventually(lambda: "A low CSAT as Zendesk would send it" in process.output, what="samples are sent")
        samples = eventually(lambda: len(found := cases(process)) == 5 and found, what="the sample cases")
        assert {case["account_name"] for case in samples} >= {  # type: ignore[union-attr]
            "Northwind Logistics", "Lumen Retail", "Elm Robotics", "Orchid Health"
        }  # fmt: skip
        texts = eventually(lambda: len(found := slack_messages(process)) >= 10 and found, what="the cards")
        assert any("Northwind Logistics" in message["text"] for message in texts)  # type: ignore[union-attr]

        url = re.search(r"Console +(http\S+)", process.output)
        assert url is not None
        with httpx.Client(follow_redirects=True, trust_env=False) as browser:
            assert browser.get(url[1]).status_code == 200
        assert (home / "var/admin-token").stat().st_mode & 0o077 == 0


def test_the_doors_are_shut_but_for_health(standing: CloseloopProcess) -> None:
    with httpx.Client(base_url=standing.base, trust_env=False) as stranger:
        assert stranger.get("/healthz").status_code == 200
        assert stranger.get("/readyz").status_code == 200
        for path in ("/metrics", "/openapi.json", "/v1/cases", "/v1/sla", "/v1/accounts"):
            assert stranger.get(path).status_code == 401, path
        assert stranger.get("/").status_code in (401, 303)
        assert stranger.post("/slack/interactions").status_code == 401
        assert stranger.post("/v1/webhooks/zendesk", content=b"{}").status_code == 401
        assert stranger.post("/v1/webhooks/nobody", content=b"{}").status_code == 404
    with standing.client() as admin:
        assert "closeloop_event_to_alert_seconds" in admin.get("/metrics").text
        assert "/v1/cases" in admin.get("/openapi.json").json()["paths"]


def test_imported_accounts_own_the_cases_that_come(up: CloseloopProcess, home: Path) -> None:
    (home / "accounts.csv").write_text(ACCOUNTS)
    dry = closeloop(home, "accounts", "import", "accounts.csv", "--dry-run", settings=SOURCES)
    assert dry.returncode == 0
    with up.client() as client:
        assert client.get("/v1/accounts").json()["items"] == []

    done = closeloop(home, "accounts", "import", "accounts.csv", settings=SOURCES)
    assert done.returncode == 0, done.stderr
    assert "2 accounts imported" in done.stdout
    with up.client() as client:
        eventually(lambda: client.get("/v1/accounts/zeta").is_success, what="the router knows the accounts")

    assert rate(up, "dora@acme.example").status_code == 202
    (case,) = eventually(lambda: cases(up), what="a case")
    assert (case["account_id"], case["owner"]) == ("acme", "ana@example.com")


def test_a_file_with_mistakes_imports_nothing_and_names_every_line(standing: CloseloopProcess) -> None:
    home = standing.home
    (home / "accounts.csv").write_text(ACCOUNTS + "bad,Bad,not a domain,ana@example.com,\n,No id,,,\n")
    done = closeloop(home, "accounts", "import", "accounts.csv", settings=SOURCES)
    assert done.returncode == 1
    assert "accounts.csv:4: domains.0:" in done.stderr
    assert "accounts.csv:5: id is empty" in done.stderr
    assert "nothing was imported" in done.stderr
    assert closeloop(home, "accounts", "export", settings=SOURCES).stdout.count("\n") == 1


def test_what_was_imported_is_exported_again(up: CloseloopProcess, home: Path) -> None:
    (home / "accounts.csv").write_text(ACCOUNTS)
    closeloop(home, "accounts", "import", "accounts.csv", settings=SOURCES)
    exported = closeloop(home, "accounts", "export", settings=SOURCES).stdout
    (home / "again.csv").write_text(exported)
    assert "2 accounts imported" in closeloop(home, "accounts", "import", "again.csv", settings=SOURCES).stdout
    assert closeloop(home, "accounts", "export", settings=SOURCES).stdout == exported


def test_absences_imported_are_listed_with_their_first_day_as_the_person_calls_it(home: Path) -> None:
    home.mkdir()
    first = datetime.now(UTC).date() + timedelta(days=30)
    absence = f"ana@example.com,ben@example.com,{first},{first + timedelta(days=2)},Asia/Tokyo,"
    (home / "covers.csv").write_text(f"person,cover,starts,ends,timezone,reason\n{absence}\n")
    assert closeloop(home, "db", "upgrade").returncode == 0
    assert "1 absences entered" in closeloop(home, "covers", "import", "covers.csv").stdout
    assert closeloop(home, "covers", "list").stdout.startswith(f"ana@example.com: {first} until ")


def test_a_dead_letter_is_listed_shown_and_replayed_once_its_cause_is_gone(home: Path) -> None:
    policy = home / "policy.toml"
    home.mkdir()
    with CloseloopProcess(home, "up", settings=SOURCES) as process:
        body = json.dumps(
            {
                "event": "csat.rated",
                "ticket": {"id": "7", "title": "Export", "status": "Solved", "url": "acme.zendesk.com/7"},
                "requester": {"name": "Dora", "email": "dora@acme.example"},
                "satisfaction": {"rating": "Schlimm", "comment": "Nein."},
            }
        ).encode()
        headers = sign("zendesk", body, SECRET, datetime.now(UTC))
        answer = httpx.post(f"{process.base}/v1/webhooks/zendesk", content=body, headers=headers, trust_env=False)
        assert answer.status_code == 422
        letter = answer.json()["dead_letter_id"]

        assert letter[:8] in closeloop(home, "dead-letters", "list", settings=SOURCES).stdout
        shown = closeloop(home, "dead-letters", "show", letter, settings=SOURCES).stdout
        assert "Schlimm" in shown
        assert SECRET not in shown
        assert headers["x-zendesk-webhook-signature"] not in shown
        refused = closeloop(home, "dead-letters", "replay", letter, settings=SOURCES)
        assert refused.returncode == 1
        assert cases(process) == []

        policy.write_text('[sources.zendesk]\nrating_text_map = { "Schlimm" = "bad" }\n')
        done = closeloop(home, "dead-letters", "replay", "--all", settings=SOURCES)
        assert "1 replayed, 0 not" in done.stdout, done.stderr
        (case,) = eventually(lambda: cases(process), what="the case of the replayed letter")
        assert case["responses"][0]["comment"] == "Nein."
    assert "No dead letters" in closeloop(home, "dead-letters", "list", settings=SOURCES).stdout
    assert "replayed" in closeloop(home, "dead-letters", "list", "--all", settings=SOURCES).stdout


def test_a_backup_taken_while_running_comes_back_elsewhere(up: CloseloopProcess, home: Path, tmp_path: Path) -> None:
    rate(up, "dora@nowhere.example")
    (case,) = eventually(lambda: cases(up), what="a case")
    assert closeloop(home, "backup", str(tmp_path / "b.tar.gz"), settings=SOURCES).returncode == 0
    with tarfile.open(tmp_path / "b.tar.gz") as archive:
        assert set(archive.getnames()) == {"manifest.json", "closeloop.db", "events.db"}

    refused = closeloop(home, "restore", str(tmp_path / "b.tar.gz"), "--force", settings=SOURCES)
    assert refused.returncode == 2
    assert "is running" in refused.stderr

    elsewhere = tmp_path / "elsewhere"
    assert closeloop(elsewhere, "restore", str(tmp_path / "b.tar.gz"), settings=SOURCES).returncode == 0
    with CloseloopProcess(elsewhere, "up", settings=SOURCES) as restored:
        assert [one["id"] for one in cases(restored)] == [case["id"]]
    assert "1 journals verified, 0 flaws" in closeloop(elsewhere, "audit", "verify", settings=SOURCES).stdout


def test_told_to_end_it_finishes_and_the_next_start_goes_on(up: CloseloopProcess, home: Path) -> None:
    for number in range(30):
        assert rate(up, f"dora@customer-{number}.example", number=number).status_code == 202
    assert up.stop() == 0
    assert "Traceback" not in up.output
    with CloseloopProcess(home, "up", settings=SOURCES) as again:
        with again.client() as client:
            eventually(lambda: len(client.get("/v1/cases?limit=100").json()["items"]) == 30, what="every 202 is a case")


def test_two_of_one_installation_are_refused(standing: CloseloopProcess) -> None:
    second = closeloop_apart(standing.home, "up", "--port", "0", settings=SOURCES)
    assert second.returncode == 2
    assert "is running" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_port_in_use_is_one_clear_line(standing: CloseloopProcess, tmp_path: Path) -> None:
    port = standing.base.rpartition(":")[2]
    second = closeloop_apart(tmp_path / "other", "up", "--port", port)
    assert second.returncode == 2
    assert "Choose another with --port" in second.stderr
    assert len(second.stderr.strip().splitlines()) == 1


WRONG = [
    ({"BUS__URL": "carrier-pigeon://x"}, "", "CLOSELOOP_BUS__URL"),
    ({"HTTP__PORT": "many"}, "", "CLOSELOOP_HTTP__PORT"),
    ({}, "[sla]\ntouch_within = 24\n", "sla.touch_within"),
    ({}, "[slo]\n", "slo"),
    ({"SLACK__BOT_TOKEN": "xoxb-1"}, "", "routing.fallback_owner"),
]


@pytest.mark.parametrize(("settings", "policy", "words"), WRONG)
def test_a_wrong_setting_or_policy_is_named(home: Path, settings: dict[str, str], policy: str, words: str) -> None:
    home.mkdir()
    (home / "policy.toml").write_text(policy)
    done = closeloop(home, "doctor", settings=settings)
    assert done.returncode == 2
    assert words in done.stderr


def test_a_policy_file_that_cannot_be_read_is_named(home: Path) -> None:
    (home / "policy.toml").mkdir(parents=True)
    done = closeloop(home, "policy", "check")
    assert (done.returncode, "policy.toml cannot be read" in done.stderr) == (2, True)
    mistyped = closeloop(home, "policy", "check", "polcy.toml")
    assert (mistyped.returncode, "polcy.toml" in mistyped.stderr) == (2, True)


def test_what_the_system_refuses_is_one_clear_line(home: Path) -> None:
    assert closeloop(home, "db", "upgrade").returncode == 0
    done = closeloop(home, "backup", "no-such-folder/b.tar.gz")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "no-such-folder" in done.stderr
    assert "No such file or directory" in done.stderr


def test_a_mistyped_topic_is_not_an_empty_one(home: Path) -> None:
    done = closeloop(home, "dead-letters", "list", "--topic", "feedback.recieved")
    assert (done.returncode, "feedback.received" in done.stderr) == (2, True)


def test_with_a_wrong_setting_nothing_starts(home: Path) -> None:
    settings, _, words = WRONG[0]
    done = closeloop_apart(home, "up", "--port", "0", settings=settings)
    assert (done.returncode, words in done.stderr) == (2, True)
    assert "Traceback" not in done.stderr


def test_a_router_refuses_a_database_without_tables_and_says_what_to_do(home: Path) -> None:
    done = closeloop_apart(home, "router", "--port", "0")
    assert done.returncode == 2
    assert "closeloop db upgrade" in done.stderr
    assert closeloop(home, "db", "upgrade").returncode == 0
    with CloseloopProcess(home, "router") as process:
        assert httpx.get(f"{process.base}/readyz", trust_env=False).status_code == 200


def test_without_its_broker_a_process_is_alive_but_not_ready(home: Path) -> None:
    port = free_port()
    settings = {**SOURCES, "BUS__URL": f"kafka://127.0.0.1:{free_port()}"}
    process = CloseloopProcess(home, "ingest", "--port", str(port), settings=settings).launch()
    try:
        base = f"http://127.0.0.1:{port}"

        def ready() -> int:
            try:
                return httpx.get(f"{base}/readyz", trust_env=False).status_code
            except httpx.TransportError:
                return 0

        assert eventually(ready, what="it answers") == 503
        assert httpx.get(f"{base}/healthz", trust_env=False).status_code == 200
        early = httpx.post(f"{base}/v1/webhooks/zendesk", content=b"{}", trust_env=False)
        assert early.status_code == 503
        assert int(early.headers["retry-after"]) < 60
        assert process.stop() == 0
    finally:
        process.kill()


def test_the_doctor_says_what_is_wrong_and_what_to_do(up: CloseloopProcess, home: Path) -> None:
    two = "id,name,domains,csm\nacme,Acme,acme.example,ana@example.com\nzeta,Zeta,acme.example,\n"
    (home / "accounts.csv").write_text(two)
    closeloop(home, "accounts", "import", "accounts.csv", settings=SOURCES)
    with up.client() as client:
        eventually(lambda: client.get("/v1/accounts/zeta").is_success, what="the router knows the accounts")
    found = closeloop(home, "doctor", settings=SOURCES)
    assert found.returncode == 1
    assert "acme.example is claimed by acme, zeta" in found.stdout
    assert "CLOSELOOP_SLACK__BOT_TOKEN" in found.stdout


def test_the_doctor_is_content_with_a_sandbox_that_is_set_up(home: Path) -> None:
    with CloseloopProcess(home / "slack", "up", "--sandbox") as elsewhere:
        config = {"bot_token": "xoxb-of-the-test", "signing_secret": "s"}
        httpx.post(f"{elsewhere.base}/sandbox/_sandbox/config", json=config, trust_env=False).raise_for_status()
        settings = {
            **SOURCES,
            "SLACK__BOT_TOKEN": "xoxb-of-the-test",
            "SLACK__SIGNING_SECRET": "s",
            "SLACK__API_URL": f"{elsewhere.base}/sandbox/api/",
        }
        closeloop(home, "db", "upgrade", settings=settings)
        found = closeloop(home, "doctor", settings=settings)
        assert found.returncode == 0, found.stdout
        sent = closeloop(home, "test-alert", "--to", "ana@example.com", settings=settings)
        assert sent.returncode == 0, sent.stderr
        assert any("Test alert" in message["text"] for message in slack_messages(elsewhere))
        gone = {"email": "nobody@example.com", "deleted": True}
        httpx.post(f"{elsewhere.base}/sandbox/_sandbox/users", json=gone, trust_env=False).raise_for_status()
        missing = closeloop(home, "test-alert", "--to", "nobody@example.com", settings=settings)
        assert missing.returncode == 1
        assert "has no active Slack account" in missing.stderr
        tokenless = closeloop(home, "test-alert", "--to", "ana@example.com", settings=SOURCES)
        assert (tokenless.returncode, "CLOSELOOP_SLACK__BOT_TOKEN is not set" in tokenless.stderr) == (1, True)


def test_the_slack_manifest_has_our_address_or_none(home: Path) -> None:
    asked = closeloop(home, "slack", "manifest", "--url", "https://loop.acme.example/")
    known = closeloop(home, "slack", "manifest", settings={"HTTP__PUBLIC_URL": "https://loop.acme.example"})
    assert (asked.returncode, known.stdout) == (0, asked.stdout), asked.stderr
    app = yaml.safe_load(asked.stdout)
    addresses = re.findall(r"https://[^\s\"']+", asked.stdout)
    assert {address.rpartition("/slack/")[0] for address in addresses} == {"https://loop.acme.example"}
    assert app["settings"]["interactivity"]["request_url"] == "https://loop.acme.example/slack/interactions"

    behind = closeloop(home, "slack", "manifest", "--socket-mode")
    assert (behind.returncode, "https://" in behind.stdout) == (0, False)
    assert yaml.safe_load(behind.stdout)["settings"]["socket_mode_enabled"] is True

    for wrong in ([], ["--url", "http://loop.acme.example"]):
        refused = closeloop(home, "slack", "manifest", *wrong)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "--url https://..., or --socket-mode" in refused.stderr


def test_slack_check_names_what_keeps_alerts_from_arriving(home: Path) -> None:
    with CloseloopProcess(home / "slack", "up", "--sandbox") as elsewhere:
        sandbox = httpx.Client(base_url=f"{elsewhere.base}/sandbox/_sandbox", trust_env=False)
        sandbox.post("/config", json={"bot_token": "xoxb-of-the-test", "signing_secret": "s"}).raise_for_status()
        settings = {
            **SOURCES,
            "SLACK__BOT_TOKEN": "xoxb-of-the-test",
            "SLACK__SIGNING_SECRET": "s",
            "SLACK__API_URL": f"{elsewhere.base}/sandbox/api/",
        }
        closeloop(home, "db", "upgrade", settings=settings)
        found = closeloop(home, "slack", "check", settings=settings)
        assert found.returncode == 0, found.stdout
        assert "closeloop test-alert --to" in found.stdout

        sandbox.post("/users", json={"email": "gone@example.com", "deleted": True}).raise_for_status()
        (home / "policy.toml").write_text('[routing]\nfallback_owner = "gone@example.com"\n')
        found = closeloop(home, "slack", "check", settings=settings)
        assert (found.returncode, "gone@example.com" in found.stdout) == (1, True), found.stdout

        sandbox.post("/config", json={"scopes": ["chat:write", "users:read"]}).raise_for_status()
        found = closeloop(home, "slack", "check", settings=settings)
        assert found.returncode == 1
        assert all(words in found.stdout for words in ("im:write", "users:read.email")), found.stdout

        wrong = closeloop(home, "slack", "check", settings=settings | {"SLACK__BOT_TOKEN": "xoxb-another"})
        assert (wrong.returncode, "invalid_auth" in wrong.stdout) == (1, True), wrong.stdout


def test_a_trial_goes_on_after_a_restart_with_the_same_people_and_cards(up: CloseloopProcess, home: Path) -> None:
    """Whom an account names is in the sandbox, and still there later: the case stays with them, in one thread."""
    (home / "accounts.csv").write_text("id,name,domains,csm\nacme,Acme,acme.example,new.csm@us.example\n")
    closeloop(home, "accounts", "import", "accounts.csv", settings=SOURCES)
    with up.client() as client:
        eventually(lambda: client.get("/v1/accounts/acme").is_success, what="the router knows the account")
    rate(up, "dora@acme.example")
    eventually(lambda: len(slack_messages(up)) == 2, what="cards for the CSM and the lead")
    assert up.stop() == 0
    up.start()
    rate(up, "erik@acme.example", number=2)
    eventually(lambda: len([m for m in slack_messages(up) if m["thread_ts"]]) == 2, what="a reply below each card")
    (case,) = cases(up)
    assert (case["owner"], len(case["responses"])) == ("new.csm@us.example", 2)


def test_what_a_killed_process_held_delays_no_alert(up: CloseloopProcess, home: Path) -> None:
    up.kill()
    with closing(sqlite3.connect(home / "var/closeloop.db")) as database:
        database.execute("INSERT OR REPLACE INTO leases VALUES ('slack', 'the dead', '2099-01-01 00:00:00.000000')")
        database.commit()
    up.start()
    rate(up, "dora@acme.example")
    eventually(lambda: len(slack_messages(up)) == 2, what="cards for the fallback owner and the lead")


def test_the_audit_finds_a_journal_that_was_changed(home: Path) -> None:
    with CloseloopProcess(home, "up", settings=SOURCES) as process:
        rate(process, "dora@acme.example")
        eventually(lambda: cases(process), what="a case")
        process.stop()
    assert closeloop(home, "audit", "verify", settings=SOURCES).returncode == 0
    with closing(sqlite3.connect(home / "var/closeloop.db", isolation_level=None)) as sql:
        sql.execute("UPDATE journal SET actor = 'mallory'")
    found = closeloop(home, "audit", "verify", settings=SOURCES)
    assert found.returncode == 1
    assert "does not follow" in found.stderr


def test_retention_deletes_old_messages_and_no_case(home: Path) -> None:
    with CloseloopProcess(home, "up", settings=SOURCES) as process:
        rate(process, "dora@acme.example")
        eventually(lambda: cases(process), what="a case")
        process.stop()
    with closing(sqlite3.connect(home / "var/events.db", isolation_level=None)) as sql:
        sql.execute("UPDATE messages SET at_us = at_us - 40 * 86400 * 1000000")
        assert sql.execute("SELECT count(*) FROM messages").fetchone()[0] > 0
    assert closeloop(home, "retention", settings=SOURCES).returncode == 2
    assert closeloop(home, "retention", "--days", "30", settings=SOURCES).returncode == 0
    with closing(sqlite3.connect(home / "var/events.db")) as sql:
        assert sql.execute("SELECT count(*) FROM messages").fetchone()[0] == 0
    with CloseloopProcess(home, "up", settings=SOURCES) as again:
        assert len(cases(again)) == 1
