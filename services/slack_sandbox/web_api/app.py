"""auth.test, api.test, team.info and apps.connections.open: the app and its workspace."""

from services.slack_sandbox.errors import SlackError
from services.slack_sandbox.web_api.call import Answer, Call, Method


def auth_test(call: Call) -> Answer:
    config = call.config
    return {
        "url": f"{config.public_url}/",
        "team": config.team_name,
        "user": config.bot_name,
        "team_id": config.team_id,
        "user_id": config.bot_user_id,
        "bot_id": config.bot_id,
        "is_enterprise_install": False,
    }


def api_test(call: Call) -> Answer:
    if call.text("error"):
        raise SlackError(call.text("error"), args=call.args)
    return {"args": call.args}


def team_info(call: Call) -> Answer:
    config = call.config
    team = {"id": config.team_id, "name": config.team_name, "domain": config.team_name.lower(), "email_domain": ""}
    return {"team": team}


async def connections_open(call: Call) -> Answer:
    return {"url": await call.workspace.sockets.new_url()}


METHODS = {
    "auth.test": Method(auth_test, 5, json=True),
    "api.test": Method(api_test, 4, json=True),
    "team.info": Method(team_info, 3, (), ("team:read",)),
    "apps.connections.open": Method(connections_open, 3, json=True, app_token=True),
}
