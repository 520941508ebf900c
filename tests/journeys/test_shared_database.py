"""Appliances on PostgreSQL: one works the tasks of a database, and the next takes over when it was killed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.journeys.appliance import SCRIPTED, Appliance

if TYPE_CHECKING:
    from tests.ledger.postgres import Postgres

pytest_plugins = ["tests.ledger.postgres"]


def test_two_appliances_on_one_database(tmp_path: Path, postgres: Postgres) -> None:
    where = {"BAILEY_DATABASE_URL": postgres.create_database()}
    first, second = (Appliance(tmp_path / name, variables=where) for name in ("first", "second"))
    for appliance in (first, second):
        appliance.folder.mkdir()
        (appliance.folder / "models.yaml").write_text(SCRIPTED)
    first.start()
    try:
        first.keys["ada"] = first.key("ada")
        refused = second.bailey("serve", "--port", "0")
        assert refused.returncode == 1
        assert "Another appliance works with the ledger at postgresql" in refused.stderr
        first.kill()
        second.start()
        said = second.bailey("chat", "Say hello", key=first.keys["ada"])
        assert said.stdout.strip() == "Hello from the small model."
        assert "The ledger holds: " in second.bailey("ledger", "verify").stdout
        assert not list(tmp_path.glob("*/data/ledger.db"))
    finally:
        first.stop()
        second.stop()
