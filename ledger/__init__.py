"""What happened, provably: chained entries, bodies by digest, redaction, budgets.

Read `protocol.py` first. State elsewhere (tasks, keys, spend) is a fold of the ledger.
"""
