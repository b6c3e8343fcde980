"""Who resolved a case, and who ended it: a refusal says who was first."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("cases", sa.Column("resolved_by", sa.String(length=320), nullable=True))
    op.add_column(
        "cases", sa.Column("ended_by", sa.String(length=320), nullable=True, comment="who closed or dismissed it")
    )


def downgrade() -> None:
    op.drop_column("cases", "ended_by")
    op.drop_column("cases", "resolved_by")
