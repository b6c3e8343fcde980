"""The console: server-rendered pages for CX operations."""

from services.router.console.service import routes

__all__ = ["routes"]
