"""A consumer group of one, then three, then two members while events flow: nothing is lost, nothing doubled (G3)."""

from typing import Any

import pytest

from tests.support.blocking import wait_for
from tests.support.consumer_groups import INTAKE_GROUP, SCORING_GROUP, members
from tests.support.deployments import Deploy
from tests.support.flow import Flow, reckon
from tests.support.waiting import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]
ACCOUNTS = [f"kunde{number}" for number in range(8)]
ANA, LEA = "ana@us.example", "lea@us.example"
POLICY = f'[routing]\nsupport_lead = "{LEA}"\nfallback_owner = "{LEA}"\n'
GROUPS = {"scoring": SCORING_GROUP, "router": INTAKE_GROUP}


@pytest.mark.timeout(180)
def test_g3_members_come_and_go_while_events_flow(
    deploy: Deploy, kafka_bootstrap: str, record_testsuite_property: Any
) -> None:
    closeloop = deploy("distributed", POLICY, (ANA, LEA))
    for account in ACCOUNTS:
        closeloop.knows(account, name=account, domains=[f"{account}.example"], csm=ANA, support_lead=LEA)
    flow = Flow(closeloop, ACCOUNTS)

    flow.begins(24, every=0.25)
    newcomers = {service: [closeloop.add(service), closeloop.add(service)] for service in GROUPS}
    for program in (program for pair in newcomers.values() for program in pair):
        program.start()
    for service, group in GROUPS.items():
        eventually(
            lambda group=group: len(wait_for(members(kafka_bootstrap, group))) == 3, 40, f"three of {service}", 0.2
        )

    flow.begins(16, every=0.25)
    closeloop.program("scoring").stop()  # one leaves in order, one is killed
    closeloop.program("router").kill()
    for service, group in GROUPS.items():
        eventually(
            lambda group=group: len(wait_for(members(kafka_bootstrap, group))) == 2, 40, f"two of {service}", 0.2
        )
    closeloop.turns_to(newcomers["router"][0])

    flow.begins(8)
    found = reckon(closeloop, flow)
    record_testsuite_property("group of 1 -> 3 -> 2", str(found))
    assert not found.wrong, str(found)
    assert (found.cases, found.responses) == (len(ACCOUNTS), 48), str(found)
