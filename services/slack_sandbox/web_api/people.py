"""users.* and dnd.*: who is in the workspace, and whether they look away."""

from services.slack_sandbox.web_api.call import Answer, Call, Method


def lookup_by_email(call: Call) -> Answer:
    directory = call.workspace.directory
    return {"user": directory.user_json(directory.user_by_email(call.text("email")))}


def info(call: Call) -> Answer:
    directory = call.workspace.directory
    return {"user": directory.user_json(directory.user(call.text("user")))}


def listing(call: Call) -> Answer:
    directory = call.workspace.directory
    page, metadata = call.page(list(directory.users.values()), call.number("limit", 1000, 1000))
    return {"members": [directory.user_json(user) for user in page], "cache_ts": int(call.config.clock()), **metadata}


def profile(call: Call) -> Answer:
    directory = call.workspace.directory
    return {"profile": directory.profile_json(directory.user(call.text("user") or call.config.bot_user_id))}


def presence(call: Call) -> Answer:
    return {"presence": call.workspace.directory.user(call.text("user") or call.config.bot_user_id).presence}


def dnd(call: Call) -> Answer:
    """`dnd_enabled` says that a schedule exists, not that the person is away now."""
    user = call.workspace.directory.user(call.text("user") or call.config.bot_user_id)
    return {
        "dnd_enabled": bool(user.dnd_end_ts),
        "next_dnd_start_ts": user.dnd_start_ts or 1,
        "next_dnd_end_ts": user.dnd_end_ts or 1,
        "snooze_enabled": False,
    }


READ = ("users:read",)
METHODS = {
    "users.lookupByEmail": Method(lookup_by_email, 3, ("email",), ("users:read.email",)),
    "users.info": Method(info, 4, ("user",), READ),
    "users.list": Method(listing, 2, (), READ),
    "users.profile.get": Method(profile, 4, (), ("users.profile:read",)),
    "users.getPresence": Method(presence, 3, (), READ),
    "dnd.info": Method(dnd, 3, (), ("dnd:read",)),
}
