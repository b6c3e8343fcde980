"""PostgreSQL gone for a while, Kafka gone for a while, in the middle of the work: it goes on where it was (G1, G3)."""

import time
from typing import Any

import pytest

from services.router import tables
from tests.support.blocking import wait_for
from tests.support.consumer_groups import INTAKE_GROUP, SCORING_GROUP, members, offsets
from tests.support.deployment import Deployment
from tests.support.deployments import Deploy
from tests.support.flow import Flow, reckon
from tests.support.kafka import KafkaServer
from tests.support.postgres import PostgresServer
from tests.support.waiting import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.timeout(240)]
ACCOUNTS = [f"kunde{number}" for number in range(5)]
ANA, LEA = "ana@us.example", "lea@us.example"
POLICY = f'[routing]\nsupport_lead = "{LEA}"\nfallback_owner = "{LEA}"\n'
SESSION_SECONDS = 3


@pytest.fixture(scope="module")
def closeloop(deploy_for_module: Deploy) -> Deployment:
    deployed = deploy_for_module("distributed", POLICY, (ANA, LEA))
    for account in ACCOUNTS:
        deployed.knows(account, name=account, domains=[f"{account}.example"], csm=ANA, support_lead=LEA)
    return deployed


@pytest.fixture(scope="module")
def flow(closeloop: Deployment) -> Flow:
    return Flow(closeloop, ACCOUNTS)


def test_g3_while_postgresql_is_gone_offsets_stand_still_and_nobody_is_evicted(
    closeloop: Deployment, flow: Flow, postgres_server: PostgresServer, kafka_bootstrap: str
) -> None:
    flow.begins(5)
    reckon(closeloop, flow)
    before = wait_for(offsets(kafka_bootstrap, INTAKE_GROUP))
    there = wait_for(members(kafka_bootstrap, INTAKE_GROUP))
    assert there

    postgres_server.stop()
    gone_at = time.monotonic()
    flow.begins(10)
    flow.ends()  # ingest has no database: it takes everything
    eventually(lambda: len(closeloop.published("feedback.scored")) == 15, what="scoring goes on", every=0.2)
    refused = closeloop.api.get("/v1/cases")
    assert (refused.status_code, refused.headers["content-type"]) == (503, "application/problem+json")
    assert int(refused.headers["retry-after"]) < 60
    assert closeloop.api.get("/readyz").status_code == 503
    eventually(
        lambda: time.monotonic() - gone_at > 2.5 * SESSION_SECONDS, what="longer than a session lasts", every=0.2
    )
    assert wait_for(offsets(kafka_bootstrap, INTAKE_GROUP)) == before
    assert wait_for(members(kafka_bootstrap, INTAKE_GROUP)) == there

    postgres_server.start()
    found = reckon(closeloop, flow)
    assert not found.wrong, str(found)
    assert found.responses == 15
    assert wait_for(members(kafka_bootstrap, INTAKE_GROUP)) == there


def test_g1_while_kafka_is_gone_ingest_answers_503_and_loses_nothing_it_took(
    closeloop: Deployment, flow: Flow, kafka_server: KafkaServer, record_testsuite_property: Any
) -> None:
    taken = len(flow.accepted)
    kafka_server.stop()
    asked = time.monotonic()
    refused = closeloop.zendesk.tells_of("refused", f"eva@{ACCOUNTS[0]}.example")
    record_testsuite_property("503 without Kafka after", f"{time.monotonic() - asked:.1f} s")
    assert refused.status_code == 503
    assert 0 < int(refused.headers["retry-after"]) < 60

    flow.begins(5)
    card = closeloop.slack.card(ANA, ACCOUNTS[0])
    assert card
    closeloop.slack.clicks(ANA, card, "case.acknowledge")  # people can go on
    assert closeloop.case_of(ACCOUNTS[0])["status"] == "acknowledged"

    kafka_server.start()
    found = reckon(closeloop, flow)
    assert not found.wrong, str(found)
    assert found.responses - taken in (5, 6)  # what was refused may have arrived all the same, but not twice
    eventually(lambda: all_relayed(closeloop), what="the journal goes on to the bus", every=0.2)


def all_relayed(closeloop: Deployment) -> bool:
    told = {(event["case_id"], event["seq"]) for event in closeloop.published("cases.changed")}
    return told >= {(row["case_id"], row["seq"]) for row in closeloop.rows(tables.journal)}


def test_nobody_was_evicted_for_good(closeloop: Deployment, kafka_bootstrap: str) -> None:
    for group in (INTAKE_GROUP, SCORING_GROUP):
        eventually(lambda group=group: len(wait_for(members(kafka_bootstrap, group))) == 1, what=group)
