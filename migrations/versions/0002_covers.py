"""Who covers for whom, and whose case it really is."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_COVERED = sa.text("covers_for IS NOT NULL AND status NOT IN ('closed', 'dismissed')")
_NOT_ENDED = sa.text("status NOT IN ('closed', 'dismissed')")
_LOOKED_AT = sa.text("look_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "covers",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("person", sa.String(length=320), nullable=False, comment="who is away"),
        sa.Column("cover", sa.String(length=320), nullable=True, comment="who stands in; NULL: nobody is named"),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True, comment="NULL: until they say they are back"),
        sa.Column(
            "timezone",
            sa.String(length=64),
            server_default="UTC",
            nullable=False,
            comment="the dates were meant in it",
        ),
        sa.Column("source", sa.String(length=16), nullable=False, comment="api, csv, slack or status_hint"),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("created_by", sa.String(length=320), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True, comment="ended early, by a person"),
        sa.Column("ended_by", sa.String(length=320), nullable=True),
        sa.Column(
            "look_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when its cases must be looked at next; NULL: never again",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_covers")),
    )
    op.create_index("ix_covers_person", "covers", ["person", "starts_at"], unique=False)
    op.create_index(
        "ix_covers_look_at",
        "covers",
        ["look_at"],
        unique=False,
        sqlite_where=_LOOKED_AT,
        postgresql_where=_LOOKED_AT,
    )
    op.add_column(
        "cases",
        sa.Column("covers_for", sa.String(length=320), nullable=True, comment="the absent person who gets it back"),
    )
    op.create_index(
        "ix_cases_covers_for", "cases", ["covers_for"], unique=False, sqlite_where=_COVERED, postgresql_where=_COVERED
    )
    op.create_index(
        "ix_cases_support_lead",
        "cases",
        ["support_lead"],
        unique=False,
        sqlite_where=_NOT_ENDED,
        postgresql_where=_NOT_ENDED,
    )
    op.add_column(
        "people",
        sa.Column(
            "away",
            sa.String(length=200),
            nullable=True,
            comment="what their Slack status says of an absence: a hint, nothing more",
        ),
    )
    op.add_column("people", sa.Column("away_until", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("people", "away_until")
    op.drop_column("people", "away")
    op.drop_index("ix_cases_support_lead", table_name="cases")
    op.drop_index("ix_cases_covers_for", table_name="cases")
    op.drop_column("cases", "covers_for")
    op.drop_index("ix_covers_look_at", table_name="covers")
    op.drop_index("ix_covers_person", table_name="covers")
    op.drop_table("covers")
