"""Channels show what their profile allows, Reveal is checked and journaled, and shared channels get nothing."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from services.router.channels.slack import SHARED_MARKS
from services.router.domain import commands
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


@pytest.mark.parametrize("mark", SHARED_MARKS)
async def test_a_channel_shared_with_another_company_gets_nothing(channel: SlackBench, mark: str) -> None:
    channel.sandbox.update_channel(CHANNEL, **{mark: True})
    async with channel.sending():
        await channel.low(2, comment=SECRET_WORDS)

        async def parked() -> bool:
            return "parked" in await channel.states()

        await channel.until(parked)
    assert channel.sandbox.messages(channel=CHANNEL) == []
    errors = {row["error"] for row in await channel.notices() if row["state"] == "parked"}
    assert errors == {"the channel is shared with another company, whose people could read it"}


async def test_once_its_channel_is_shared_a_card_there_says_nothing_more(channel: SlackBench) -> None:
    async with channel.sending(channel.service()):
        view = await channel.low(2)
        await channel.sent(2)
    channel.sandbox.update_channel(CHANNEL, is_ext_shared=True)
    await channel.does(view.case.id, commands.AddNote(actor=ANA, note="They may cancel"))
    async with channel.sending(channel.service()):
        await channel.until(partial(_drawn, channel))
    assert "They may cancel" not in str(channel.sandbox.messages(channel=CHANNEL))


async def _drawn(bench: SlackBench) -> bool:
    """Nothing more is to be shown of any card."""
    return all(row["published_rev"] >= row["desired_rev"] for row in await bench.notices())


def _whispers(bench: SlackBench) -> list[str]:
    everything = [message for email in (ANA, LEA, MAX, OPS) for message in bench.sandbox.messages(email=email)]
    everything += bench.sandbox.messages(channel=CHANNEL)
    return [message["text"] for message in everything if message["ephemeral_to"]]
