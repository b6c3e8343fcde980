"""Runs the sandbox alone: `python -m services.slack_sandbox --port 8009`."""

import argparse

import uvicorn

from services.slack_sandbox.app import SandboxConfig, create_app


def main() -> None:
    """Serves until interrupted; the app's address is the base of its /slack/* doors."""
    parser = argparse.ArgumentParser(prog="services.slack_sandbox", description="A Slack double with a page.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8009)
    parser.add_argument("--app-url", default="http://127.0.0.1:8003", help="where the app under test listens")
    parser.add_argument("--no-rate-limits", action="store_true")
    parser.add_argument("--bot-token", default=SandboxConfig.bot_token)
    parser.add_argument("--app-token", default=SandboxConfig.app_token)
    parser.add_argument("--signing-secret", default=SandboxConfig.signing_secret)
    options = parser.parse_args()
    base = options.app_url.rstrip("/")
    config = SandboxConfig(
        bot_token=options.bot_token,
        app_token=options.app_token,
        signing_secret=options.signing_secret,
        interactivity_url=f"{base}/slack/interactions",
        commands_url=f"{base}/slack/commands",
        events_url=f"{base}/slack/events",
        options_url=f"{base}/slack/options",
        rate_limits=not options.no_rate_limits,
    )
    uvicorn.run(create_app(config), host=options.host, port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
