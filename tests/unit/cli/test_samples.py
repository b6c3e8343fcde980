"""The samples of `make run` are what vendors send: the front door takes them, and so it does the printed curl."""

import json
import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.commands.samples import Samples, Webhook, signed
from services.commands.welcome import curl
from services.ingest.sources import BY_NAME
from services.ingest.sources.base import WebhookRequest
from shared.events.catalog import SurveyResponded
from shared.settings import Settings


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    return Samples.load(Settings(), secrets=tmp_path / "secrets.json")


def test_every_sample_passes_its_vendors_signature_and_is_understood(samples: Samples) -> None:
    now = datetime.now(UTC)
    scores = []
    for webhook in samples.webhooks:
        source, headers = BY_NAME[webhook.source], signed(webhook, samples.secrets[webhook.source], now)
        request = WebhookRequest("POST", f"http://test/v1/webhooks/{source.name}", headers, webhook.body, {})
        source.verify(request, [samples.secrets[webhook.source]], {}, now)
        (event,) = source.translate(request, {}, now).events
        assert isinstance(event, SurveyResponded)
        scores.append((event.metric, event.normalised_score))
    assert sorted(scores) == [("ces", 2), ("csat", 1), ("csat", 1), ("csat", 2), ("csat", 5), ("nps", 3)]


def test_samples_have_the_same_ids_every_time_so_that_a_second_run_repeats_nothing(samples: Samples) -> None:
    today = datetime.now(UTC)

    def id_on(webhook: Webhook, at: datetime) -> str:
        headers = signed(webhook, samples.secrets[webhook.source], at)
        request = WebhookRequest("POST", "", headers, webhook.body, {})
        return BY_NAME[webhook.source].translate(request, {}, at).events[0].unique_id

    for webhook in samples.webhooks:
        assert id_on(webhook, today) == id_on(webhook, today + timedelta(days=1))


def test_secrets_are_kept_for_the_next_run_and_readable_by_us_alone(tmp_path: Path) -> None:
    first = Samples.load(Settings(), secrets=tmp_path / "secrets.json").secrets
    assert Samples.load(Settings(), secrets=tmp_path / "secrets.json").secrets == first
    assert (tmp_path / "secrets.json").stat().st_mode & 0o077 == 0


def test_a_secret_that_is_set_is_used(tmp_path: Path) -> None:
    settings = Settings.model_validate({"sources": {"zendesk": {"secret": "mine,old"}}})
    samples = Samples.load(settings, secrets=tmp_path / "secrets.json")
    assert samples.secrets["zendesk"] == "mine"
    assert samples.with_secrets(settings).sources["zendesk"].secrets() == ("mine", "old")
    assert "mine" not in (tmp_path / "secrets.json").read_text()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the printed lines sign with openssl, which is not here")
def test_the_printed_lines_send_what_zendesk_would(tmp_path: Path) -> None:
    (tmp_path / "curl").write_text('#!/bin/sh\nfor part in "$@"; do printf "%s\\0" "$part"; done > "$SEEN"\n')
    (tmp_path / "curl").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "SEEN": str(tmp_path / "seen")}
    subprocess.run(["bash", "-c", curl("http://127.0.0.1:8000", "se'cret")], env=environment, check=True)

    parts = (tmp_path / "seen").read_text().split("\0")
    headers = dict(
        part.lower().split(": ", 1) if "-sig" not in part else part.split(": ", 1)
        for part in parts[1:]
        if ": " in part and not part.startswith("{")
    )
    body = parts[parts.index("-d") + 1].encode()
    now = datetime.now(UTC)
    request = WebhookRequest("POST", parts[1], headers, body, {})
    BY_NAME["zendesk"].verify(request, ["se'cret"], {}, now)
    (event,) = BY_NAME["zendesk"].translate(request, {}, now).events
    assert event.normalised_score == 1
    assert int(json.loads(body)["ticket"]["id"]) > 1_700_000_000
