"""`python -m gateway.cli` is `bailey`."""

from gateway.cli import main

main()
