"""Holds and spend in SQL, in nano-dollars. One function, one statement; the rules are in `transactions.py`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from ledger.chain import time_text
from ledger.store import tables


def _add_spend(statement: postgresql.Insert | sqlite.Insert) -> postgresql.Insert | sqlite.Insert:
    total = tables.spend.c.nanos + statement.excluded.nanos
    return statement.on_conflict_do_update(index_elements=["tenant", "day"], set_={"nanos": total})


_ADD_SPEND = {
    "postgresql": _add_spend(postgresql.insert(tables.spend)),
    "sqlite": _add_spend(sqlite.insert(tables.spend)),
}


# Built once: composing a statement takes longer than executing it.
_HOLDS, _SPEND = tables.holds.c, tables.spend.c
_FIND_HOLD = select(tables.holds).where(_HOLDS.key == bindparam("key"))
_INSERT_HOLD = {
    dialect: insert(tables.holds)
    .on_conflict_do_nothing(index_elements=["key"])
    .execution_options(preserve_rowcount=True)
    for dialect, insert in (("postgresql", postgresql.insert), ("sqlite", sqlite.insert))
}
_DELETE_HOLD = delete(tables.holds).where(_HOLDS.key == bindparam("key"))
_HELD = select(func.coalesce(func.sum(_HOLDS.nanos), 0)).where(_HOLDS.tenant == bindparam("tenant"))
_SETTLED = select(func.coalesce(func.sum(_SPEND.nanos), 0)).where(
    _SPEND.tenant == bindparam("tenant"), _SPEND.day >= bindparam("since")
)


@dataclass(frozen=True, slots=True)
class Hold:
    """Money reserved for one piece of work in flight."""

    key: str
    tenant: str
    nanos: int
    created: str


def find_hold(connection: Connection, key: str) -> Hold | None:
    """An open reservation."""
    row = connection.execute(_FIND_HOLD, {"key": key}).one_or_none()
    return None if row is None else Hold(*row)


def insert_hold(connection: Connection, hold: Hold) -> bool:
    """Open a reservation; False if its key has one."""
    row = {"key": hold.key, "tenant": hold.tenant, "nanos": hold.nanos, "created": hold.created}
    return connection.execute(_INSERT_HOLD[connection.dialect.name], row).rowcount == 1


def delete_hold(connection: Connection, key: str) -> None:
    """Close a reservation, if there is one."""
    connection.execute(_DELETE_HOLD, {"key": key})


def holds_before(connection: Connection, moment: datetime) -> list[Hold]:
    """Reservations opened before `moment`, oldest first."""
    query = select(tables.holds).where(_HOLDS.created < time_text(moment)).order_by(_HOLDS.created, _HOLDS.key)
    return [Hold(*row) for row in connection.execute(query)]


def held(connection: Connection, tenant: str) -> int:
    """What a tenant's open reservations add up to."""
    return int(connection.execute(_HELD, {"tenant": tenant}).scalar_one())


def settled(connection: Connection, tenant: str, since: datetime | None) -> int:
    """What a tenant spent on the UTC days from `since` on (all, if None)."""
    row = {"tenant": tenant, "since": first_day(since)}
    return int(connection.execute(_SETTLED, row).scalar_one())


def add_spend(connection: Connection, tenant: str, on_day: str, nanos: int) -> None:
    """Add to a day's cost."""
    statement = _ADD_SPEND[connection.dialect.name]
    connection.execute(statement, {"tenant": tenant, "day": on_day, "nanos": nanos})


def all_spend(connection: Connection) -> dict[tuple[str, str], int]:
    """The whole projection: nano-dollars by tenant and day."""
    return {(row.tenant, row.day): int(row.nanos) for row in connection.execute(select(tables.spend))}


def first_day(since: datetime | None) -> str:
    """The day from which on costs count; before all of them if there is no such time."""
    return day(since) if since else ""


def day(time: datetime) -> str:
    """The UTC day of a time, as the projection names it ("2025-11-21")."""
    return time_text(time)[:10]
