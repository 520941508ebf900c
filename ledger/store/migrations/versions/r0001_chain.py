"""The chain: entries, bodies and the head, append-only by triggers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NEVER, _NOTHING = "0001-01-01T00:00:00.000000Z", "0" * 64
_GUARDS = {
    "entries": "new.seq = (SELECT coalesce(max(seq), 0) + 1 FROM entries)"
    " AND NOT EXISTS (SELECT 1 FROM entries WHERE key = new.key)",
    "bodies": "NOT EXISTS (SELECT 1 FROM bodies WHERE digest = new.digest)",
}


def upgrade() -> None:
    """Make the tables, their guards and the head of the empty chain."""
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "entries",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("time", text, nullable=False),
        sa.Column("stream", text, nullable=False),
        sa.Column("type", text, nullable=False),
        sa.Column("actor", text, nullable=False),
        sa.Column("tenant", text, nullable=False),
        sa.Column("cause", sa.BigInteger),
        sa.Column("data", text, nullable=False),
        sa.Column("input_digest", text),
        sa.Column("output_digest", text),
        sa.Column("cost_nanos", sa.BigInteger, nullable=False),
        sa.Column("key", text, unique=True),
        sa.Column("previous_hash", text, nullable=False),
        sa.Column("hash", text, nullable=False),
    )
    op.create_index("entries_by_stream", "entries", ["stream", "seq"])
    op.create_index("entries_by_type", "entries", ["type", "seq"])
    op.create_table(
        "bodies",
        sa.Column("digest", text, primary_key=True),
        sa.Column("encoding", text, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    head = op.create_table(
        "head",
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("time", text, nullable=False),
        sa.Column("hash", text, nullable=False),
        sa.Column("bodies", text, nullable=False),
    )
    op.bulk_insert(head, [{"seq": 0, "time": _NEVER, "hash": _NOTHING, "bodies": _NOTHING}])
    for table, may_insert in _GUARDS.items():
        for statement in _guard(op.get_bind().dialect.name, table, may_insert):
            op.execute(sa.text(statement))


def _guard(dialect: str, table: str, may_insert: str) -> list[str]:
    """Triggers by which a table takes new rows in order and neither changes nor loses one."""
    refusal = f"{table} are append-only"
    if dialect == "sqlite":
        refuse = f"BEGIN SELECT RAISE(ABORT, '{refusal}'); END"
        return [
            f"CREATE TRIGGER {table}_insert BEFORE INSERT ON {table} WHEN NOT ({may_insert}) {refuse}",
            f"CREATE TRIGGER {table}_update BEFORE UPDATE ON {table} {refuse}",
            f"CREATE TRIGGER {table}_delete BEFORE DELETE ON {table} {refuse}",
        ]
    return [
        f"CREATE FUNCTION {table}_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF NOT ({may_insert}) THEN RAISE EXCEPTION '{refusal}'; END IF; RETURN new; END $$",
        f"CREATE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION '{refusal}'; END $$",
        f"CREATE TRIGGER {table}_insert BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_insert()",
        f"CREATE TRIGGER {table}_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse()",
    ]
