"""The accounts: money held for work in flight, and spend per tenant and day, counted from the entries there are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables and fill the projection."""
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "holds",
        sa.Column("key", text, primary_key=True),
        sa.Column("tenant", text, nullable=False),
        sa.Column("nanos", sa.BigInteger, nullable=False),
        sa.Column("created", text, nullable=False),
    )
    op.create_index("holds_by_tenant", "holds", ["tenant"])
    op.create_table(
        "spend",
        sa.Column("tenant", text, primary_key=True),
        sa.Column("day", text, primary_key=True),
        sa.Column("nanos", sa.BigInteger, nullable=False),
    )
    op.execute(
        sa.text(
            "INSERT INTO spend (tenant, day, nanos) SELECT tenant, substr(time, 1, 10), sum(cost_nanos) "
            "FROM entries WHERE cost_nanos > 0 GROUP BY tenant, substr(time, 1, 10)"
        )
    )
