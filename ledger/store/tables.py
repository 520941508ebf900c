"""The tables as queries see them; the migrations make them, and a test holds the two together.

Money is in nano-dollars. Text compares by code point, so prefixes are ranges and times sort as text.
Who calls it: the other files of this package.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, LargeBinary, MetaData, Table, Text

metadata = MetaData()

_text = Text().with_variant(Text(collation="C"), "postgresql")

entries = Table(
    "entries",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("time", _text, nullable=False),
    Column("stream", _text, nullable=False),
    Column("type", _text, nullable=False),
    Column("actor", _text, nullable=False),
    Column("tenant", _text, nullable=False),
    Column("cause", BigInteger),
    Column("data", _text, nullable=False),
    Column("input_digest", _text),
    Column("output_digest", _text),
    Column("cost_nanos", BigInteger, nullable=False),
    Column("key", _text, unique=True),
    Column("previous_hash", _text, nullable=False),
    Column("hash", _text, nullable=False),
    Column("tokens", BigInteger, nullable=False, server_default="0"),
    Column("accounts", _text, nullable=False, server_default=""),  # one a line
    Index("entries_by_stream", "stream", "seq"),
    Index("entries_by_type", "type", "seq"),
    Index("entries_by_input", "input_digest", "seq"),
    Index("entries_by_output", "output_digest", "seq"),
)

bodies = Table(
    "bodies",
    metadata,
    Column("digest", _text, primary_key=True),
    Column("encoding", _text, nullable=False),
    Column("content", LargeBinary, nullable=False),
)

# Bodies that went under retention, and the entry that says so; a body may come back, and go again.
let_go = Table(
    "let_go",
    metadata,
    Column("digest", _text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Index("let_go_by_seq", "seq"),
)

# One row: where the chain ends and the digests of all bodies combined, so that what is missing is noticed.
head = Table(
    "head",
    metadata,
    Column("seq", BigInteger, nullable=False),
    Column("time", _text, nullable=False),
    Column("hash", _text, nullable=False),
    Column("bodies", _text, nullable=False),
)

holds = Table(
    "holds",
    metadata,
    Column("key", _text, primary_key=True),
    Column("tenant", _text, nullable=False),
    Column("nanos", BigInteger, nullable=False),
    Column("created", _text, nullable=False),
    Column("tokens", BigInteger, nullable=False, server_default="0"),
    Column("accounts", _text, nullable=False, server_default=""),  # one a line
    Column("body", _text),  # the digest of what was asked, which no entry names yet
)

# What the entries cost per account and UTC day; months and totals are sums of days.
spend = Table(
    "spend",
    metadata,
    Column("account", _text, primary_key=True),
    Column("day", _text, primary_key=True),
    Column("nanos", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
)
