"""What an operator does: legs sent again or with a repaired document, and what the store itself demands.

Kind: pre (safe under the old code: only adds).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("leg", sa.Column("repaired", sa.Text))
    op.add_column("leg", sa.Column("reopened", sa.Integer, nullable=False, server_default="0"))
    op.create_index("case_state", "case_", ["state", "id"])
    op.create_table(
        "store_state",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("store_state")
    op.drop_index("case_state", "case_")
    with op.batch_alter_table("leg") as leg:
        leg.drop_column("reopened")
        leg.drop_column("repaired")
