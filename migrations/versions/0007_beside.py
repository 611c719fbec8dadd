"""What the gateway keeps for an ERP that has no field for it.

Kind: pre (safe under the old code: only adds).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "beside",
        sa.Column("erp", sa.String(32), primary_key=True),
        sa.Column("object", sa.String(32), primary_key=True),
        sa.Column("plant", sa.String(32), primary_key=True),
        sa.Column("key", sa.String(120), primary_key=True),
        sa.Column("field", sa.String(64), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("said_us", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("beside")
