"""The shapes of what Slack sends to an app: actions, submissions, commands and events. Pure.

Source: https://docs.slack.dev/reference/interaction-payloads and https://docs.slack.dev/apis/events-api.
"""

from typing import Any

from services.slack_sandbox.config import SandboxChannel, SandboxConfig, SandboxUser


def _username(user: SandboxUser) -> str:
    return user.name.lower().replace(" ", ".")


def interaction(config: SandboxConfig, kind: str, user: SandboxUser, **fields: Any) -> dict[str, Any]:
    """The part all interaction payloads share; the deprecated verification token is left empty."""
    team_id = user.team_id or config.team_id
    who = {"id": user.id, "username": _username(user), "name": _username(user), "team_id": team_id}
    return {
        "type": kind,
        "user": who,
        "api_app_id": config.app_id,
        "token": "",
        "team": {"id": config.team_id, "domain": config.team_name.lower()},
        "enterprise": None,
        "is_enterprise_install": False,
        **fields,
    }


def message_place(channel: SandboxChannel, message: dict[str, Any], ephemeral: bool) -> dict[str, Any]:
    """`container`, `channel` and `message` of an action on a message."""
    container = {
        "type": "message",
        "message_ts": message["ts"],
        "channel_id": channel.id,
        "is_ephemeral": ephemeral,
    }
    if message.get("thread_ts"):
        container["thread_ts"] = message["thread_ts"]
    name = "directmessage" if channel.is_im else channel.name
    return {"container": container, "channel": {"id": channel.id, "name": name}, "message": message}


def view_place(view: dict[str, Any]) -> dict[str, Any]:
    return {"container": {"type": "view", "view_id": view["id"]}, "view": view}


def slash_command(
    config: SandboxConfig, command: str, text: str, user: SandboxUser, channel: SandboxChannel
) -> dict[str, str]:
    """Form fields of a slash command, without trigger_id and response_url."""
    return {
        "token": "",
        "team_id": config.team_id,
        "team_domain": config.team_name.lower(),
        "channel_id": channel.id,
        "channel_name": "directmessage" if channel.is_im else channel.name,
        "user_id": user.id,
        "user_name": _username(user),
        "command": command,
        "text": text,
        "api_app_id": config.app_id,
        "is_enterprise_install": "false",
    }


def event_callback(config: SandboxConfig, event: dict[str, Any], event_id: str, at: float) -> dict[str, Any]:
    authorization = {
        "enterprise_id": None,
        "team_id": config.team_id,
        "user_id": config.bot_user_id,
        "is_bot": True,
        "is_enterprise_install": False,
    }
    return {
        "token": "",
        "team_id": config.team_id,
        "api_app_id": config.app_id,
        "event": event,
        "type": "event_callback",
        "event_id": event_id,
        "event_time": int(at),
        "authorizations": [authorization],
        "is_ext_shared_channel": False,
    }
