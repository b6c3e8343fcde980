"""What came from each source, how each source is, and who found a response."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "source_minutes",
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("minute", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted", sa.Integer(), server_default="0", nullable=False),
        sa.Column("ignored", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rejected", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False, comment="ignored, rejected and api, each by reason"),
        sa.Column("duplicates", sa.Integer(), server_default="0", nullable=False, comment="deliveries seen twice"),
        sa.Column("late_detected", sa.Integer(), server_default="0", nullable=False, comment="found by the reconciler"),
        sa.Column("lag_total_s", sa.Float(), server_default="0", nullable=False),
        sa.Column("lag_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lag_max_s", sa.Float(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("source", "minute", name=op.f("pk_source_minutes")),
        comment="What came from each source; what is silent, or rejecting, is told from it",
    )
    op.create_index("ix_source_minutes_minute", "source_minutes", ["minute"], unique=False)
    op.create_table(
        "sources",
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column(
            "first_heard_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="first delivery that was taken or rightly ignored",
        ),
        sa.Column("last_heard_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "reported_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="when ingest last spoke of it, news or none",
        ),
        sa.Column("about", sa.JSON(), nullable=False, comment="how it is set up, and the vendor's own rule"),
        sa.Column("state", sa.String(length=16), server_default="new", nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("words", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "notice_id",
            sa.String(length=36),
            nullable=True,
            comment="what the administrator is to be told; NULL: nothing",
        ),
        sa.Column("attempted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_sources")),
    )
    op.add_column(
        "responses",
        sa.Column(
            "detected_by",
            sa.String(length=16),
            server_default="webhook",
            nullable=False,
            comment="or reconciler, or poll",
        ),
    )


def downgrade() -> None:
    op.drop_column("responses", "detected_by")
    op.drop_table("sources")
    op.drop_index("ix_source_minutes_minute", table_name="source_minutes")
    op.drop_table("source_minutes")
