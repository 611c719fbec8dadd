"""The indexes of open legs say what is open without a list: SQLite built a table of the list's items for each row it wrote.

Only on SQLite. PostgreSQL knows that both mean the same, and making an index again would hold up everybody who reads legs.
Kind: pre (safe under the old code: a SQLite file has one gateway).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_PLAIN = "state <> 'done' AND state <> 'refused' AND state <> 'voided'"
_LIST = "state NOT IN ('done', 'refused', 'voided')"
_INDEXES = {"leg_open": ["lane", "side"], "leg_cell": ["plant", "domain"]}


def _made_again(condition: str) -> None:
    if op.get_bind().dialect.name != "sqlite":
        return
    for name, columns in _INDEXES.items():
        op.drop_index(name, "leg")
        op.create_index(name, "leg", columns, sqlite_where=sa.text(condition))


def upgrade() -> None:
    _made_again(_PLAIN)


def downgrade() -> None:
    _made_again(_LIST)
