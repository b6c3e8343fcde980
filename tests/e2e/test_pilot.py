"""Before real CSMs are pinged: pilot mode, where every card goes to one channel, and `closeloop test-alert`."""

import pytest

from tests.support.deployments import Deploy
from tests.support.waiting import eventually

ANA, LEA = "ana@us.example", "lea@us.example"
CHANNEL = "C0FEEDBACK"  # the sandbox has it
POLICY = f'[routing]\npilot = "channel:{CHANNEL}"\nsupport_lead = "{LEA}"\nfallback_owner = "{LEA}"\n'


@pytest.mark.timeout(240)
def test_in_pilot_mode_the_channel_sees_whom_each_card_would_have_reached(deploy: Deploy) -> None:
    closeloop = deploy("embedded", POLICY, (ANA, LEA))
    slack = closeloop.slack
    closeloop.knows("nordwind", name="Nordwind", domains=["nordwind.example"], csm=ANA)
    closeloop.zendesk.rated("51612", "mia@nordwind.example", comment="Nobody listens")

    def both() -> bool:
        said = "\n".join(post.said for post in slack.in_channel(CHANNEL))
        assert f"would have reached {ANA}" in said, said
        assert f"would have reached {LEA}" in said, said
        return True

    eventually(both, what="both cards in the channel")
    assert not slack.inbox(ANA)
    assert not slack.inbox(LEA)
    assert not any(post.mentions for post in slack.in_channel(CHANNEL))

    told = closeloop.command("test-alert", "--to", ANA)
    assert told.returncode == 0, told.stdout + told.stderr
    assert [post.said for post in slack.inbox(ANA)], "a test alert is for the person who asked for it"
