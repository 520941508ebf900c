"""`bailey models`: what is declared, and whether its weights are here and right. One file for each kind of work."""

from __future__ import annotations

import typer

from gateway.cli.models import adapting, listing, pulling, releasing, verifying

app = typer.Typer(help="List models, fetch and check weights, release versions, load adapters.", no_args_is_help=True)
app.command(name="list")(listing.list_models)
app.command(name="pull")(pulling.pull)
app.command(name="verify")(verifying.verify)
app.command(name="add")(releasing.add)
app.command(name="canary")(releasing.canary)
app.command(name="promote")(releasing.promote)
app.command(name="rollback")(releasing.rollback)
app.command(name="load-adapter")(adapting.load_adapter)
app.command(name="unload-adapter")(adapting.unload_adapter)
