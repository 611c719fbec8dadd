"""Documents that ERPs derived, to be compared with what the other ERP derived, and the case where they differ.

Kind: pre (safe under the old code: only adds).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_NEW = sa.text("state = 'new'")


def upgrade() -> None:
    op.create_table(
        "derived",
        sa.Column("object", sa.String(32), primary_key=True),
        sa.Column("erp", sa.String(32), primary_key=True),
        sa.Column("key", sa.String(120), primary_key=True),
        sa.Column("plant", sa.String(32), nullable=False),
        sa.Column("parent", sa.String(64)),
        sa.Column("named", sa.Text, nullable=False),
        sa.Column("lines", sa.Text, nullable=False),
        sa.Column("seen_us", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("case_id", sa.Integer),
    )
    op.create_index("derived_new", "derived", ["object", "plant", "seen_us"], sqlite_where=_NEW, postgresql_where=_NEW)
    op.create_index("derived_parent", "derived", ["object", "parent"])
    op.create_index("derived_case", "derived", ["case_id"])


def downgrade() -> None:
    op.drop_table("derived")
