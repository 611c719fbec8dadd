"""Whether numbers were imported: from then on a document may have one number here and another there.

Kind: pre (safe under the old code: only adds).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("wave_table", sa.Column("numbered", sa.Boolean, nullable=False, server_default=sa.false()))
    op.execute("UPDATE wave_table SET numbered = EXISTS (SELECT 1 FROM audit WHERE action = 'crosswalk.import')")


def downgrade() -> None:
    with op.batch_alter_table("wave_table") as table:
        table.drop_column("numbered")
