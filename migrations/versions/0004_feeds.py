"""Change feeds: how far each was read and by whom, and what documents said when somebody last looked.

A leg keeps what its ERP showed of a new document.

Kind: pre (safe under the old code: only adds).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


def upgrade() -> None:
    op.add_column("leg", sa.Column("shown", sa.Text))
    op.create_table(
        "feed",
        sa.Column("erp", sa.String(32), primary_key=True),
        sa.Column("object", sa.String(32), primary_key=True),
        sa.Column("plant", sa.String(32), primary_key=True),
        sa.Column("cursor", sa.String(40)),
        sa.Column("owner", sa.String(64)),
        _count("since_us"),
        _count("read_us"),
        _count("edits"),
        _count("derived"),
        sa.Column("error", sa.Text),
    )
    op.create_table(
        "feed_image",
        sa.Column("object", sa.String(32), primary_key=True),
        sa.Column("canonical", sa.String(64), primary_key=True),
        sa.Column("erp", sa.String(32), primary_key=True),
        _count("seq"),
        sa.Column("image", sa.Text, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("feed_image")
    op.drop_table("feed")
    with op.batch_alter_table("leg") as leg:
        leg.drop_column("shown")
