"""What was remembered of a document is in the words of a dialect, and those are corrected now and then.

Kind: pre (safe under the old code: only adds).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("feed_image", sa.Column("content", sa.String(64)))


def downgrade() -> None:
    with op.batch_alter_table("feed_image") as table:
        table.drop_column("content")
