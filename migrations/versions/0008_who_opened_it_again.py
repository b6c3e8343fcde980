"""Who opened a case again: a refusal says who was first."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column("reopened_by", sa.String(length=320), comment="who opened it again the last time")
    op.add_column("cases", column)


def downgrade() -> None:
    op.drop_column("cases", "reopened_by")
