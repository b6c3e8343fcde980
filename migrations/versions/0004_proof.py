"""What a touch rests on, whether the promise was kept, and replies the helpdesk told of."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "touch_clocks",
        sa.Column(
            "proof",
            sa.String(length=12),
            nullable=True,
            comment="claimed, evidenced or confirmed; NULL before the touch",
        ),
    )
    op.execute("UPDATE touch_clocks SET proof = 'claimed' WHERE touched_at IS NOT NULL")
    op.add_column(
        "cases",
        sa.Column("promise_kept", sa.Boolean(), nullable=True, comment="the customer's answer at the close-out"),
    )
    op.add_column(
        "tickets",
        sa.Column(
            "replied_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="the last public reply or call by our side",
        ),
    )
    op.add_column("tickets", sa.Column("replied_by", sa.String(length=320), nullable=True))


def downgrade() -> None:
    op.drop_column("tickets", "replied_by")
    op.drop_column("tickets", "replied_at")
    op.drop_column("cases", "promise_kept")
    op.drop_column("touch_clocks", "proof")
