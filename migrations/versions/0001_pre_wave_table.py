"""The wave table, content revisions and the audit.

Kind: pre (safe under the old code).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "content_revision",
        sa.Column("revision", sa.String(64), primary_key=True),
        sa.Column("files", sa.LargeBinary, nullable=False),
        sa.Column("archived_at_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "wave_table",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("content", sa.String(64), sa.ForeignKey("content_revision.revision"), nullable=False),
    )
    op.create_table(
        "cell",
        sa.Column("plant", sa.String(32), primary_key=True),
        sa.Column("domain", sa.String(32), primary_key=True),
        sa.Column("legacy", sa.String(32), nullable=False),
        sa.Column("cloud", sa.String(32)),
        sa.Column("phase", sa.String(16), nullable=False),
        sa.Column("target", sa.String(16)),
        sa.Column("wave", sa.String(32)),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("term", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("detail", sa.Text, nullable=False),
    )


def downgrade() -> None:
    for table in ("audit", "cell", "wave_table", "content_revision"):
        op.drop_table(table)
