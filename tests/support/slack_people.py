"""The people in the Slack sandbox: what they see, and what they do with it, over the sandbox's automation doors."""

import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.waiting import eventually

REPEAT = "(possible repeat)"


@dataclass(frozen=True)
class Post:
    """A message as it stands in Slack now. `notice` is our delivery id; `said` everything that can be read."""

    channel: str
    ts: str
    text: str
    thread: str
    notice: str
    said: str
    buttons: tuple[str, ...]
    mentions: tuple[str, ...]
    posted_at: float
    versions: int

    @property
    def is_reply(self) -> bool:
        return self.thread not in ("", self.ts)

    def says(self, *words: str) -> bool:
        """Whether all of these can be read in it."""
        return all(word in self.said for word in words)


class SlackPeople:
    """`url` is the sandbox's base address."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=f"{url}/_sandbox", timeout=20, trust_env=False)

    def close(self) -> None:
        self._http.close()

    # people

    def hires(self, *emails: str) -> None:
        """People who have a Slack account from now on."""
        known = {user["email"] for user in self._get("users")["users"]}
        for email in emails:
            if email not in known:
                self._post("users", email=email, name=email.partition("@")[0].replace(".", " ").title())

    def channel(self, name: str) -> str:
        """The id of a new channel."""
        return str(self._post("channels", name=name, id=f"C{uuid.uuid4().hex[:9].upper()}")["id"])

    # looking

    def inbox(self, email: str) -> list[Post]:
        """What the app wrote to this person's DM, oldest first."""
        return [_post(message) for message in self._get("messages", email=email)["messages"]]

    def in_channel(self, channel: str) -> list[Post]:
        return [_post(message) for message in self._get("messages", channel=channel)["messages"]]

    def all_posts(self) -> list[Post]:
        return [_post(message) for message in self._get("messages")["messages"] if not message["ephemeral_to"]]

    def card(self, email: str, *words: str) -> Post | None:
        """The newest message with buttons, not in a thread, in this person's DM that says all of `words`."""
        cards = [post for post in self.inbox(email) if post.buttons and not post.is_reply and post.says(*words)]
        return cards[-1] if cards else None

    def message(self, email: str, *words: str) -> Post | None:
        """The newest message of any kind in this person's DM that says all of `words`."""
        return next((post for post in reversed(self.inbox(email)) if post.says(*words)), None)

    def thread(self, email: str, card: Post) -> list[Post]:
        """The replies below a card."""
        return [post for post in self.inbox(email) if post.is_reply and post.thread == card.ts]

    def modal(self, email: str) -> dict[str, Any] | None:
        """The modal this person has open."""
        view = self._get("views", user=email)["view"]
        return dict(view) if view else None

    def whispers(self, email: str) -> list[str]:
        """What only this person was told."""
        return [str(notice.get("text", notice)) for notice in self._get("views", user=email)["notices"]]

    def calls(self, method: str) -> list[dict[str, Any]]:
        return list(self._get("calls", method=method)["calls"])

    def notices(self) -> Counter[str]:
        """How often each of our notices is on display."""
        return Counter(post.notice for post in self.all_posts() if post.notice)

    # doing

    def clicks(self, email: str, post: Post, action: str, value: Any = None) -> dict[str, Any]:
        """Press a button of a message once it shows, or choose from its menu; AssertionError unless the app took it."""
        eventually(lambda: action in self._now(email, post).buttons or value, what=f"{action} shows to {email}")
        body = {"action_id": action, "user": email, "channel": post.channel, "ts": post.ts}
        done = self._post("click", **body, **({"value": value} if value is not None else {}))
        assert done["ok"], f"{action} by {email}: {done}"
        return done

    def _now(self, email: str, post: Post) -> Post:
        return next(found for found in self.inbox(email) if found.ts == post.ts)

    def submits(self, email: str, **values: Any) -> dict[str, Any]:
        """Fill in the modal this person has open and send it; AssertionError unless the app took it."""
        done = self.tries_to_submit(email, **values)
        assert done["ok"], f"{email}: {done}"
        return done

    def tries_to_submit(self, email: str, **values: Any) -> dict[str, Any]:
        modal = self.modal(email)
        assert modal, f"{email} has no modal open"
        return self._post("submit", view_id=modal["id"], user=email, values=values)

    def deletes(self, post: Post) -> None:
        self._post("delete_message", channel=post.channel, ts=post.ts)

    # trouble

    def breaks(self, kind: str, **options: Any) -> None:
        """Inject a fault into Slack: `outage`, `429`, `500`, `drop_after_storing` ..."""
        self._post("faults", kind=kind, **options)

    def heals(self) -> None:
        self._http.request("DELETE", "/faults").raise_for_status()

    def app_is_at(self, router_url: str) -> None:
        """Where clicks, commands and events are sent."""
        doors = {"interactivity_url": "interactions", "commands_url": "commands", "events_url": "events"}
        self._post("config", **{name: f"{router_url}/slack/{door}" for name, door in doors.items()})

    def _get(self, door: str, **query: str) -> dict[str, Any]:
        answer = self._http.get(f"/{door}", params=query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def _post(self, door: str, **body: Any) -> dict[str, Any]:
        answer = self._http.post(f"/{door}", json=body)
        assert answer.status_code == 200, f"{door} {body}: {answer.text}"
        return dict(answer.json())


def _post(message: dict[str, Any]) -> Post:
    blocks = message["blocks"]
    payload = (message["metadata"] or {}).get("event_payload", {})
    return Post(
        channel=message["channel"],
        ts=message["ts"],
        text=message["text"],
        thread=message["thread_ts"],
        notice=payload.get("d", ""),
        said=message["text"] + "\n" + "\n".join(_texts(blocks)),
        buttons=tuple(element["action_id"] for block in blocks for element in block.get("elements", ())
                      if element.get("type") == "button"),
        mentions=tuple(message["mentions"]),
        posted_at=message["posted_at"],
        versions=len(message["history"]),
    )  # fmt: skip


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("text"), str):
            yield value["text"]
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
