"""The ledger in SQL, on SQLite or PostgreSQL: the only home of SQLAlchemy and Alembic. Synchronous; no redaction.

For operators: on SQLite everything is in the one file of the URL, with `-wal` and `-shm` beside it while the product
runs. Back it up with `sqlite3 ledger.db "VACUUM INTO 'backup.db'"`, which is safe at any time; copying the file alone
is not. On PostgreSQL the role of the URL must own its database; use pg_dump or base backups. Keep the head hash that
`verify` prints somewhere else: who can rewrite the whole store can rewrite the whole chain, and only that hash tells.
"""
