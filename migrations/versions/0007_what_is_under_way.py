"""What is under way is found without reading the past, and a request to open a case by hand is answered once."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_PARTIAL = (
    ("ix_cases_open_owner", "cases", "owner", "status NOT IN ('closed', 'dismissed')"),
    ("ix_covers_ends_at", "covers", "ends_at", "ended_at IS NULL"),
    ("ix_notices_parked", "notices", "not_before", "state = 'parked'"),
    ("ix_people_unreachable", "people", "checked_at", "unreachable IS NOT NULL"),
)


def upgrade() -> None:
    for name, table, column, where in _PARTIAL:
        op.create_index(name, table, [column], sqlite_where=sa.text(where), postgresql_where=sa.text(where))
    # Nothing asked for it, and SQLite took it for the newest touch of one case: all touches there ever were.
    op.drop_index("ix_journal_type", table_name="journal")
    op.add_column(
        "deliveries",
        sa.Column("case_id", sa.String(length=20), comment="where a request to open a case by hand led"),
    )


def downgrade() -> None:
    op.drop_column("deliveries", "case_id")
    op.create_index("ix_journal_type", "journal", ["type", "at"])
    for name, table, _, _ in reversed(_PARTIAL):
        op.drop_index(name, table_name=table)
