"""Retention: bodies may go, but only in the transaction whose last entry says so; holds name what was asked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_SAYS_SO = (
    "EXISTS (SELECT 1 FROM let_go WHERE digest = old.digest AND seq = (SELECT coalesce(max(seq), 0) FROM entries))"
)
_REFUSAL = "bodies are append-only"
_SQLITE = (
    "DROP TRIGGER bodies_delete",
    f"CREATE TRIGGER bodies_delete BEFORE DELETE ON bodies WHEN NOT {_SAYS_SO} "
    f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END",
)
_POSTGRESQL = (
    "DROP TRIGGER bodies_change ON bodies",
    "CREATE TRIGGER bodies_change BEFORE UPDATE OR TRUNCATE ON bodies "
    "FOR EACH STATEMENT EXECUTE FUNCTION bodies_refuse()",
    "CREATE FUNCTION bodies_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    f"IF NOT {_SAYS_SO} THEN RAISE EXCEPTION '{_REFUSAL}'; END IF; RETURN old; END $$",
    "CREATE TRIGGER bodies_delete BEFORE DELETE ON bodies FOR EACH ROW EXECUTE FUNCTION bodies_delete()",
)


def upgrade() -> None:
    """Make the table, the indexes by which a body finds its entries, and the new guard."""
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "let_go",
        sa.Column("digest", text, primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    )
    op.create_index("let_go_by_seq", "let_go", ["seq"])
    op.add_column("holds", sa.Column("body", text))
    op.create_index("entries_by_input", "entries", ["input_digest", "seq"])
    op.create_index("entries_by_output", "entries", ["output_digest", "seq"])
    for statement in _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL:
        op.execute(sa.text(statement))
