"""An embedded sandbox goes on where it ended: the same people under the same ids, and messages that can be changed."""

from pathlib import Path

import pytest

from services.slack_sandbox.config import SandboxConfig
from services.slack_sandbox.errors import SlackError
from services.slack_sandbox.memory import MOST_MESSAGES, Memory
from services.slack_sandbox.state import Workspace


def started(path: Path) -> Workspace:
    workspace = Workspace(SandboxConfig(hires_whom_we_seek=True))
    Memory(workspace, path).recall()
    return workspace


def test_people_conversations_and_messages_are_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "var/sandbox.json"
    before = started(path)
    ben = before.directory.user_by_email("ben@us.example")
    place, _ = before.directory.open_dm([ben.id])
    card = before.log.add(place.id, before.directory.bot.id, "Low score", "chat.postMessage", metadata={"d": "n1"})
    before.log.add(place.id, before.directory.bot.id, "Reminder", "chat.postMessage", thread_ts=card.ts)
    Memory(before, path).save()

    after = started(path)
    assert path.stat().st_mode & 0o077 == 0
    assert after.directory.user_by_email("Ben@us.example") == ben
    assert after.directory.user_by_email("ana@example.com").id == "U0ANA"
    assert after.directory.open_dm([ben.id]) == (place, True)
    found = after.log.find(place.id, card.ts)
    assert (found.text, found.metadata) == ("Low score", {"d": "n1"})
    assert [reply.text for reply in after.log.replies(place.id, card.ts)] == ["Reminder"]
    assert after.log.next_ts() > card.ts
    newcomer = after.directory.user_by_email("chi@us.example")
    assert newcomer.id not in {ben.id, place.id.replace("D", "U")}


def test_somebody_who_was_deactivated_is_not_hired_again(tmp_path: Path) -> None:
    workspace = started(tmp_path / "sandbox.json")
    ben = workspace.directory.user_by_email("ben@us.example")
    workspace.update_user(ben.id, deleted=True)
    with pytest.raises(SlackError, match="users_not_found"):
        workspace.directory.user_by_email("ben@us.example")


def test_nobody_is_hired_where_that_was_not_asked() -> None:
    with pytest.raises(SlackError, match="users_not_found"):
        Workspace().directory.user_by_email("ben@us.example")


def test_only_the_newest_messages_are_kept(tmp_path: Path) -> None:
    workspace = started(tmp_path / "sandbox.json")
    for number in range(MOST_MESSAGES + 5):
        workspace.log.add("C0FEEDBACK", workspace.directory.bot.id, f"message {number}", "chat.postMessage")
    Memory(workspace, tmp_path / "sandbox.json").save()
    kept = [message.text for message in started(tmp_path / "sandbox.json").log.everywhere()]
    assert (len(kept), kept[0]) == (MOST_MESSAGES, "message 5")


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"users": []}', '{"users": [{"nose": 1}]}'])
def test_a_file_that_cannot_be_read_is_passed_over(tmp_path: Path, broken: str) -> None:
    (tmp_path / "sandbox.json").write_text(broken)
    assert started(tmp_path / "sandbox.json").directory.user_by_email("ana@example.com").id == "U0ANA"
