"""The type of what facts are read from, so that pure rooms can name it without knowing the database library."""

from sqlalchemy.ext.asyncio import AsyncConnection as Connection

__all__ = ["Connection"]
