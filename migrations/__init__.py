"""The database's schema over time: Alembic, configured here, for SQLite and PostgreSQL."""
