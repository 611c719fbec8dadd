"""The journal: intents, legs, steps, lanes; idempotency keys, crosswalk, cases, instances; suspended cells.

Kind: pre (safe under the old code: only adds).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ENDED = "('done', 'refused', 'voided')"


def _text(name: str, length: int, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=null)


def _long(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=null)


def _where(condition: str) -> dict[str, sa.TextClause]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    op.add_column("cell", sa.Column("suspended", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table("lane", sa.Column("id", sa.String(64), primary_key=True), _long("last"))
    op.create_table(
        "intent",
        sa.Column("id", sa.String(32), primary_key=True),
        _text("lane", 64),
        _long("lane_seq"),
        _text("plant", 32),
        _text("domain", 32),
        _text("object", 32),
        _text("verb", 32),
        _long("epoch"),
        _long("term"),
        _text("side", 8),
        _text("content", 64),
        _long("created_us"),
        _text("client", 200),
        _text("subject", 200),
        _text("origin", 16),
        _text("key", 120, null=True),
        sa.Column("document", sa.Text),
        sa.Column("if_match", sa.Text),
        _text("version", 8, null=True),
        sa.Column("answer", sa.Text),
        _long("answered_us", null=True),
    )
    op.create_index("intent_lane", "intent", ["lane", "lane_seq"], unique=True)
    op.create_index("intent_created", "intent", ["created_us"])
    op.create_table(
        "leg",
        sa.Column("intent", sa.String(32), primary_key=True),
        sa.Column("side", sa.String(8), primary_key=True),
        _text("lane", 64),
        _long("lane_seq"),
        _text("erp", 32),
        _text("plant", 32),
        _text("domain", 32),
        sa.Column("authoritative", sa.Boolean, nullable=False),
        sa.Column("held", sa.Boolean, nullable=False),
        _text("state", 12),
        _long("fence"),
        _text("owner", 64, null=True),
        _long("attempts"),
        _long("next_at_us"),
        sa.Column("step", sa.Integer, nullable=False, server_default="0"),
        sa.Column("native_key", sa.Text),
        sa.Column("error", sa.Text),
        _long("created_us"),
        _long("ended_us", null=True),
    )
    op.create_index("leg_open", "leg", ["lane", "side"], **_where(f"state NOT IN {_ENDED}"))
    op.create_index("leg_due", "leg", ["erp", "next_at_us"], **_where("state IN ('ready', 'in_doubt')"))
    op.create_index("leg_owned", "leg", ["owner"], **_where("state IN ('sending', 'settling')"))
    op.create_index("leg_cell", "leg", ["plant", "domain"], **_where(f"state NOT IN {_ENDED}"))
    op.create_table(
        "step",
        sa.Column("intent", sa.String(32), primary_key=True),
        sa.Column("side", sa.String(8), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        _text("state", 12),
        _text("token", 64),
        _long("sent_us"),
        _long("quiet_us"),
        sa.Column("request", sa.Text),
        sa.Column("etag", sa.Text),
        sa.Column("note", sa.Text),
    )
    op.create_table(
        "wait",
        sa.Column("intent", sa.String(32), primary_key=True),
        sa.Column("side", sa.String(8), primary_key=True),
        sa.Column("on_intent", sa.String(32), primary_key=True),
    )
    op.create_index("wait_on", "wait", ["on_intent"])
    op.create_table(
        "replay",
        sa.Column("client", sa.String(200), primary_key=True),
        sa.Column("key", sa.String(255), primary_key=True),
        _text("intent", 32),
        _text("fingerprint", 64),
        _long("until_us"),
        sa.Column("response", sa.Text),
    )
    op.create_index("replay_intent", "replay", ["intent"])
    op.create_index("replay_until", "replay", ["until_us"])
    op.create_table(
        "crosswalk",
        sa.Column("object", sa.String(32), primary_key=True),
        sa.Column("canonical", sa.String(64), primary_key=True),
        sa.Column("space", sa.String(40), primary_key=True),
        _text("key", 120),
    )
    op.create_index("crosswalk_key", "crosswalk", ["object", "space", "key"], unique=True)
    op.create_table(
        "case_",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        _text("intent", 32),
        _text("side", 8),
        _text("kind", 32),
        sa.Column("reason", sa.Text, nullable=False),
        _text("state", 8),
        _long("opened_us"),
        _long("closed_us", null=True),
        _text("closed_by", 200, null=True),
        sa.Column("note", sa.Text),
    )
    op.create_index("case_open", "case_", ["intent", "side"], **_where("state = 'open'"))
    op.create_table(
        "instance",
        sa.Column("id", sa.String(64), primary_key=True),
        _long("until_us"),
        _long("started_us"),
        _text("content", 64, null=True),
    )


def downgrade() -> None:
    for table in ("instance", "case_", "crosswalk", "replay", "wait", "step", "leg", "intent", "lane"):
        op.drop_table(table)
    with op.batch_alter_table("cell") as cell:
        cell.drop_column("suspended")
