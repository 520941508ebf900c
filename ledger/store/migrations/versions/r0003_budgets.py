"""Tokens beside dollars, and accounts beside tenants: spend is counted anew from the entries there are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Extend entries and holds, and make the projection again."""
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    for table in ("entries", "holds"):
        op.add_column(table, sa.Column("tokens", sa.BigInteger, nullable=False, server_default="0"))
        op.add_column(table, sa.Column("accounts", text, nullable=False, server_default=""))
    op.drop_index("holds_by_tenant", "holds")
    op.drop_table("spend")
    op.create_table(
        "spend",
        sa.Column("account", text, primary_key=True),
        sa.Column("day", text, primary_key=True),
        sa.Column("nanos", sa.BigInteger, nullable=False),
        sa.Column("tokens", sa.BigInteger, nullable=False),
    )
    op.execute(
        sa.text(
            "INSERT INTO spend (account, day, nanos, tokens) "
            "SELECT 'tenant/' || tenant, substr(time, 1, 10), sum(cost_nanos), 0 "
            "FROM entries WHERE cost_nanos > 0 GROUP BY tenant, substr(time, 1, 10)"
        )
    )
