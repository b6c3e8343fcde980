"""E-mails that stand in for alerts which Slack did not bring."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_WAITING = sa.text("state IN ('pending', 'unset')")


def upgrade() -> None:
    op.create_table(
        "mails",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("notice_id", sa.String(length=36), nullable=False),
        sa.Column("case_id", sa.String(length=20), nullable=False),
        sa.Column("recipient", sa.String(length=320), nullable=False),
        sa.Column("meant_for", sa.String(length=320), nullable=False, comment="whom Slack did not reach"),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.String(length=12),
            nullable=False,
            comment="pending, sent, failed, dropped; unset: there is no SMTP",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mails")),
        comment="E-mails that stand in for alerts Slack did not bring: a case is never silent",
    )
    op.create_index(
        "ix_mails_waiting",
        "mails",
        ["created_at"],
        unique=False,
        sqlite_where=_WAITING,
        postgresql_where=_WAITING,
    )
    op.create_index("ix_mails_case_id", "mails", ["case_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_mails_case_id", table_name="mails")
    op.drop_index("ix_mails_waiting", table_name="mails")
    op.drop_table("mails")
