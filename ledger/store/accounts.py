"""Holds and spend in SQL, in nano-dollars and tokens. One function, one statement; rules are in `transactions.py`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, exists, func, select
from sqlalchemy.dialects import postgresql, sqlite

from ledger.accounting import NOTHING, Amount
from ledger.chain import time_text
from ledger.protocol import tenant_account
from ledger.store import tables
from ledger.store.statements import Statement


def _insert_hold(insert: postgresql.Insert | sqlite.Insert) -> postgresql.Insert | sqlite.Insert:
    return insert.on_conflict_do_nothing(index_elements=["key"])


def _add_spend(insert: postgresql.Insert | sqlite.Insert) -> postgresql.Insert | sqlite.Insert:
    total = {name: tables.spend.c[name] + insert.excluded[name] for name in Amount._fields}
    return insert.on_conflict_do_update(index_elements=["account", "day"], set_=total)


_HOLDS, _SPEND = tables.holds.c, tables.spend.c
_FIND_HOLD = Statement(select(tables.holds).where(_HOLDS.key == bindparam("key")))
_IS_RECORDED = exists().where(tables.entries.c.key == bindparam("entry_key"))
_FIND_HOLD_AND_ENTRY = Statement(select(_IS_RECORDED, tables.holds).where(_HOLDS.key == bindparam("key")))
_INSERT_HOLD = Statement(
    _insert_hold(sqlite.insert(tables.holds)), for_postgresql=_insert_hold(postgresql.insert(tables.holds))
)
_DELETE_HOLD = Statement(delete(tables.holds).where(_HOLDS.key == bindparam("key")))
_HELD = Statement(
    select(_HOLDS.tenant, _HOLDS.accounts, func.sum(_HOLDS.nanos), func.sum(_HOLDS.tokens)).group_by(
        _HOLDS.tenant, _HOLDS.accounts
    )
)
_SETTLED = Statement(
    select(func.sum(_SPEND.nanos), func.sum(_SPEND.tokens)).where(
        _SPEND.account == bindparam("account"), _SPEND.day >= bindparam("since")
    )
)
_ADD_SPEND = Statement(
    _add_spend(sqlite.insert(tables.spend)), for_postgresql=_add_spend(postgresql.insert(tables.spend))
)


@dataclass(frozen=True, slots=True)
class Hold:
    """What is reserved for one piece of work in flight; `others` are accounts beside the tenant's.

    `body` is the digest of what was asked: as long as the hold is open, the body stays.
    """

    key: str
    tenant: str
    amount: Amount
    created: str
    others: tuple[str, ...] = ()
    body: str | None = None

    @property
    def accounts(self) -> tuple[str, ...]:
        """All that it counts for."""
        return counted_for(self.tenant, self.others)


def counted_for(tenant: str, others: Sequence[str]) -> tuple[str, ...]:
    """The accounts of a tenant's work."""
    return (tenant_account(tenant), *others)


def joined(accounts: Sequence[str]) -> str:
    """Names of accounts in one column; no name has a line break."""
    return "\n".join(accounts)


def split(column: str) -> tuple[str, ...]:
    """The names of accounts that stand in a column."""
    return tuple(column.split("\n")) if column else ()


def find_hold(connection: Connection, key: str) -> Hold | None:
    """An open reservation."""
    rows = _FIND_HOLD.rows(connection, key=key)
    return _hold(rows[0]) if rows else None


def find_hold_and_entry(connection: Connection, key: str, entry_key: str | None) -> tuple[Hold, bool] | None:
    """An open reservation, and whether there is an entry with `entry_key`."""
    rows = _FIND_HOLD_AND_ENTRY.rows(connection, key=key, entry_key=entry_key)
    return (_hold(rows[0][1:]), bool(rows[0][0])) if rows else None


def insert_hold(connection: Connection, hold: Hold) -> bool:
    """Open a reservation; False if its key has one."""
    inserted = _INSERT_HOLD.run(
        connection,
        key=hold.key,
        tenant=hold.tenant,
        nanos=hold.amount.nanos,
        created=hold.created,
        tokens=hold.amount.tokens,
        accounts=joined(hold.others),
        body=hold.body,
    )
    return inserted == 1


def delete_hold(connection: Connection, key: str) -> None:
    """Close a reservation, if there is one."""
    _DELETE_HOLD.run(connection, key=key)


def holds_before(connection: Connection, moment: datetime) -> list[Hold]:
    """Reservations opened before `moment`, oldest first."""
    query = select(tables.holds).where(_HOLDS.created < time_text(moment)).order_by(_HOLDS.created, _HOLDS.key)
    return [_hold(row) for row in connection.execute(query)]


def held(connection: Connection) -> defaultdict[str, Amount]:
    """What the open reservations of every account add up to."""
    sums: defaultdict[str, Amount] = defaultdict(Amount)
    for tenant, others, nanos, tokens in _HELD.rows(connection):
        for account in counted_for(tenant, split(others)):
            sums[account] = sums[account].plus(Amount(int(nanos), int(tokens)))
    return sums


def settled(connection: Connection, account: str, since: datetime | None) -> Amount:
    """What an account spent on the UTC days from `since` on (all, if None)."""
    [(nanos, tokens)] = _SETTLED.rows(connection, account=account, since=first_day(since))
    return NOTHING if nanos is None else Amount(int(nanos), int(tokens))


def add_spend(connection: Connection, account: str, on_day: str, amount: Amount) -> None:
    """Add to what a day cost."""
    _ADD_SPEND.run(connection, account=account, day=on_day, nanos=amount.nanos, tokens=amount.tokens)


def all_spend(connection: Connection) -> dict[tuple[str, str], Amount]:
    """The whole projection, by account and day."""
    rows = connection.execute(select(tables.spend))
    return {(row.account, row.day): Amount(int(row.nanos), int(row.tokens)) for row in rows}


def first_day(since: datetime | None) -> str:
    """The day from which on costs count; before all of them if there is no such time."""
    return day(since) if since else ""


def day(time: datetime) -> str:
    """The UTC day of a time, as the projection names it ("2025-11-21")."""
    return time_text(time)[:10]


def _hold(row: Sequence[object]) -> Hold:
    key, tenant, nanos, created, tokens, others, body = row
    amount = Amount(int(str(nanos)), int(str(tokens)))
    return Hold(str(key), str(tenant), amount, str(created), split(str(others)), None if body is None else str(body))
