"""The people and conversations of the workspace, and who may be found, seen or written to."""

import itertools
import re
from collections.abc import Iterable
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from services.slack_sandbox.config import SandboxChannel, SandboxConfig, SandboxUser
from services.slack_sandbox.errors import SlackError

_NUMBERED = re.compile(r"[A-Z]1[0-9]{7}")
Record = TypeVar("Record", SandboxUser, SandboxChannel)


def _apply(record: Record, changes: dict[str, Any]) -> Record:
    known = {f.name for f in fields(record)} - {"id"}
    unknown = set(changes) - known
    if unknown:
        raise ValueError(f"unknown fields: {', '.join(sorted(unknown))}")
    for name, value in changes.items():
        setattr(record, name, value)
    return record


class Directory:
    """Users and channels by id; DMs are made on first use."""

    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.users: dict[str, SandboxUser] = {}
        self.channels: dict[str, SandboxChannel] = {}
        self._numbers = itertools.count(1)
        self.bot = SandboxUser(id=config.bot_user_id, name=config.bot_name, is_bot=True, tz="UTC")
        self.users[self.bot.id] = self.bot
        for user in config.users:
            self.add_user(SandboxUser(**vars(user)))
        for channel in config.channels:
            self.add_channel(SandboxChannel(**{**vars(channel), "members": list(channel.members)}))

    def restore(self, users: Iterable[SandboxUser], channels: Iterable[SandboxChannel]) -> None:
        """People and conversations of an earlier run; whom the configuration names too keeps the id they had."""
        kept = list(users)
        emails = {user.email for user in kept}
        new = [user for user in self.people() if user.email not in emails]
        self.users = {self.bot.id: self.bot, **{user.id: user for user in kept}}
        self.channels |= {channel.id: channel for channel in channels}
        taken = [int(id_[2:]) for id_ in (*self.users, *self.channels) if _NUMBERED.fullmatch(id_)]
        self._numbers = itertools.count(max(taken, default=0) + 1)
        for user in new:
            self.add_user(SandboxUser(**{**vars(user), "id": "" if user.id in self.users else user.id}))

    # people

    def add_user(self, user: SandboxUser) -> SandboxUser:
        user.id = user.id or f"U1{next(self._numbers):07d}"
        user.name = user.name or user.email.split("@")[0]
        self.users[user.id] = user
        return user

    def update_user(self, user_id: str, **changes: Any) -> SandboxUser:
        """Changes a user's fields (`deleted=True` deactivates); raises SlackError user_not_found, ValueError."""
        return _apply(self.user(user_id), changes)

    def user(self, user_id: str) -> SandboxUser:
        if user_id not in self.users:
            raise SlackError("user_not_found")
        return self.users[user_id]

    def user_by_email(self, email: str) -> SandboxUser:
        """As users.lookupByEmail: unknown and deactivated people are both `users_not_found`."""
        wanted = email.strip().casefold()
        known = [user for user in self.users.values() if user.email and user.email.casefold() == wanted]
        if not known and self.config.hires_whom_we_seek and "@" in wanted:
            known = [self.add_user(SandboxUser(email=wanted))]
        for user in known:
            if not user.deleted:
                return user
        raise SlackError("users_not_found")

    def person(self, reference: str) -> SandboxUser:
        """Somebody who acts, by id or e-mail; raises SlackError user_not_found, user_disabled for one who has left."""
        found = self.users.get(reference)
        if found is None:
            named = [user for user in self.people() if user.email.casefold() == reference.casefold() != ""]
            if not named:
                raise SlackError("user_not_found")
            found = named[-1]
        if found.deleted:
            raise SlackError("user_disabled")
        return found

    def people(self) -> list[SandboxUser]:
        return [user for user in self.users.values() if not user.is_bot]

    # conversations

    def add_channel(self, channel: SandboxChannel) -> SandboxChannel:
        prefix = "D1" if channel.is_im else "G1" if channel.is_mpim else "C1"
        channel.id = channel.id or f"{prefix}{next(self._numbers):07d}"
        channel.created = channel.created or int(self.config.clock())
        self.channels[channel.id] = channel
        return channel

    def update_channel(self, channel_id: str, **changes: Any) -> SandboxChannel:
        """Changes a channel's fields (`is_archived=True` archives); raises SlackError channel_not_found, ValueError."""
        return _apply(self.channel(channel_id), changes)

    def channel(self, channel_id: str) -> SandboxChannel:
        """By id, or a channel by its #name; a private one the bot is not in does not exist for it."""
        channel = self.channels.get(channel_id)
        if channel is None and channel_id.startswith("#"):
            channel = next((c for c in self.channels.values() if c.name == channel_id[1:]), None)
        if channel is None:
            raise SlackError("channel_not_found")
        return channel

    def visible_channel(self, channel_id: str) -> SandboxChannel:
        channel = self.channel(channel_id)
        if channel.is_private and not channel.bot_is_member:
            raise SlackError("channel_not_found")
        return channel

    def readable_channel(self, channel_id: str) -> SandboxChannel:
        channel = self.visible_channel(channel_id)
        if not channel.bot_is_member:
            raise SlackError("not_in_channel")
        return channel

    def open_dm(self, user_ids: Iterable[str]) -> tuple[SandboxChannel, bool]:
        """The DM (or group DM) with these people, and whether it was there already."""
        members = sorted(set(user_ids))
        for user_id in members:
            self._check_dm_partner(user_id)
        for channel in self.channels.values():
            if (channel.is_im or channel.is_mpim) and channel.members == members:
                return channel, True
        single = len(members) == 1
        name = "" if single else "mpdm-" + "--".join(self.users[m].name.lower().replace(" ", ".") for m in members)
        made = SandboxChannel(name=name, is_im=single, is_mpim=not single, is_private=not single, members=members)
        return self.add_channel(made), False

    def _check_dm_partner(self, user_id: str) -> None:
        user = self.user(user_id)
        if user.is_bot:
            raise SlackError("cannot_dm_bot")
        if user.deleted:
            raise SlackError("user_disabled")

    def posting_channel(self, channel_id: str) -> SandboxChannel:
        """Where chat.postMessage to `channel_id` lands: a user id opens the DM."""
        if channel_id in self.users:
            return self.open_dm([channel_id])[0]
        channel = self.visible_channel(channel_id)
        if channel.is_archived:
            raise SlackError("is_archived")
        if channel.is_im and self.users[channel.members[0]].deleted:
            raise SlackError("channel_not_found")
        if not channel.bot_is_member and (channel.is_private or "chat:write.public" not in self.config.scopes):
            raise SlackError("not_in_channel")
        return channel

    def members(self, channel: SandboxChannel) -> list[str]:
        """Ids of the people in it; a channel without a list holds everybody who is active."""
        listed = channel.members or [user.id for user in self.people() if not user.deleted]
        return [*listed, self.bot.id] if channel.bot_is_member else list(listed)

    def conversations_of(self, user_id: str) -> list[SandboxChannel]:
        return [channel for channel in self.channels.values() if user_id in self.members(channel)]

    # what the Web API shows

    def user_json(self, user: SandboxUser) -> dict[str, Any]:
        offset = datetime.now(UTC).astimezone(ZoneInfo(user.tz)).utcoffset()
        return {
            "id": user.id,
            "team_id": user.team_id or self.config.team_id,
            "name": user.name.lower().replace(" ", "."),
            "real_name": user.name,
            "deleted": user.deleted,
            "tz": user.tz,
            "tz_label": user.tz,
            "tz_offset": int(offset.total_seconds()) if offset else 0,
            "is_bot": user.is_bot,
            "is_app_user": False,
            "is_restricted": user.is_restricted or user.is_ultra_restricted,
            "is_ultra_restricted": user.is_ultra_restricted,
            "updated": 0,
            "profile": self.profile_json(user),
        }

    def profile_json(self, user: SandboxUser) -> dict[str, Any]:
        profile = {
            "real_name": user.name,
            "display_name": user.name,
            "status_text": user.status_text,
            "status_emoji": user.status_emoji,
            "status_expiration": user.status_expiration,
            "team": self.config.team_id,
        }
        if user.email and "users:read.email" in self.config.scopes:
            profile["email"] = user.email
        return profile

    def channel_json(self, channel: SandboxChannel) -> dict[str, Any]:
        shared = {
            "id": channel.id,
            "created": channel.created,
            "is_im": channel.is_im,
            "is_mpim": channel.is_mpim,
            "is_archived": channel.is_archived,
            "is_org_shared": channel.is_org_shared,
            "is_ext_shared": channel.is_ext_shared,
            "is_pending_ext_shared": channel.is_pending_ext_shared,
            "context_team_id": self.config.team_id,
        }
        if channel.is_im:
            partner = self.users[channel.members[0]]
            return {**shared, "user": partner.id, "is_user_deleted": partner.deleted, "is_open": True}
        return {
            **shared,
            "name": channel.name,
            "name_normalized": channel.name,
            "is_channel": not channel.is_private,
            "is_group": channel.is_private and not channel.is_mpim,
            "is_private": channel.is_private,
            "is_shared": channel.is_ext_shared or channel.is_org_shared,
            "is_member": channel.bot_is_member,
            "num_members": len(self.members(channel)),
        }
