"""What was said of a kept field is in the order of its lane; clocks and sleeping gateways say otherwise.

Kind: pre (safe under the old code: only adds).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("beside", sa.Column("lane", sa.String(32)))
    op.add_column("beside", sa.Column("lane_seq", sa.Integer))


def downgrade() -> None:
    with op.batch_alter_table("beside") as table:
        table.drop_column("lane_seq")
        table.drop_column("lane")
