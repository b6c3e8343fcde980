"""Runs composed services as one process: configuration, the outside world in order, HTTP, an orderly stop."""
