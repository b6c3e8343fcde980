"""Channels show what their profile allows, Reveal is checked and journaled, and shared channels get nothing."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.slack_bench import ANA, CHANNEL, LEA, MAX, OPS, POLICY, SlackBench, slack_bench

SECRET_WORDS = "The export fails every morning"
PRIVATE = (
    f'{POLICY}delivery = "channel:{CHANNEL}"\n'
    f'[[privacy.profile]]\nchannel = "{CHANNEL}"\nhide = ["comment", "respondent", "arr"]\n'
)


@pytest.fixture
async def channel(tmp_path: Path) -> AsyncIterator[SlackBench]:
    async with slack_bench(f"sqlite+aiosqlite:///{tmp_path}/closeloop.db", PRIVATE) as made:
        await made.account(csm_manager=None)
        yield made


async def test_the_owner_reveals_what_the_channel_hides_and_the_journal_says_so(channel: SlackBench) -> None:
    async with channel.sending():
        view = await channel.low(2, comment=SECRET_WORDS)
        await channel.sent(2)
        card = channel.sandbox.messages(channel=CHANNEL)[0]
        assert SECRET_WORDS not in str(card)
        assert "dora" not in str(card).lower()
        await channel.clicks(ANA, "case.reveal", card)
        whisper = await channel.until(lambda: [text for text in _whispers(channel) if SECRET_WORDS in text])
        assert "dora@acme.example" in whisper[0]
        assert "250,000" in whisper[0]
    looked = [entry for entry in await channel.journal(view.case.id) if entry.type == "revealed"]
    assert [(entry.actor, entry.data["where"]) for entry in looked] == [(ANA, CHANNEL)]
    assert looked[0].data["fields"] == ["arr", "comment", "respondent"]


async def test_whom_the_case_does_not_concern_is_refused_and_nothing_is_shown(channel: SlackBench) -> None:
    async with channel.sending():
        view = await channel.low(2, comment=SECRET_WORDS)
        await channel.sent(2)
        await channel.clicks(MAX, "case.reveal", channel.sandbox.messages(channel=CHANNEL)[0])
        await channel.until(lambda: [text for text in _whispers(channel) if "may see this" in text])
    assert not [text for text in _whispers(channel) if SECRET_WORDS in text]
    assert "revealed" not in {entry.type for entry in await channel.journal(view.case.id)}


async def test_a_channel_shared_with_another_company_gets_nothing(channel: SlackBench) -> None:
    channel.sandbox.directory.visible_channel(CHANNEL).is_ext_shared = True
    async with channel.sending():
        await channel.low(2, comment=SECRET_WORDS)

        async def parked() -> bool:
            return "parked" in await channel.states()

        await channel.until(parked)
    assert channel.sandbox.messages(channel=CHANNEL) == []
    errors = {row["error"] for row in await channel.notices() if row["state"] == "parked"}
    assert errors == {"the channel is shared with another company, whose people could read it"}


def _whispers(bench: SlackBench) -> list[str]:
    everything = [message for email in (ANA, LEA, MAX, OPS) for message in bench.sandbox.messages(email=email)]
    everything += bench.sandbox.messages(channel=CHANNEL)
    return [message["text"] for message in everything if message["ephemeral_to"]]
