#!/bin/sh
# All tests, in two processes: the journeys, which mostly wait for appliances, beside everything else.
set -u
cd "$(dirname "$0")/.."
journeys=$(mktemp)
trap 'rm -f "$journeys"' EXIT
.venv/bin/python -m pytest tests/journeys -p no:cacheprovider >"$journeys" 2>&1 &
running=$!
trap 'kill -INT $running; wait $running; exit 130' INT TERM
.venv/bin/python -m pytest --ignore tests/journeys
rest=$?
echo "The journeys:"
wait $running
ended=$?
cat "$journeys"
[ "$rest" -eq 0 ] && [ "$ended" -eq 0 ]
