"""Slack's Web API: one module per family of methods, and the registry that lists them."""
