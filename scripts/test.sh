#!/bin/sh
# All tests, in three processes: what mostly waits (for appliances, a real vLLM, a Ray cluster) beside everything else.
set -u
cd "$(dirname "$0")/.."
said=$(mktemp -d)
trap 'rm -rf "$said"' EXIT
.venv/bin/python -m pytest tests/journeys tests/vllm --durations 5 >"$said/journeys" 2>&1 &
journeys=$!
.venv/bin/python -m pytest tests/cluster --durations 5 >"$said/cluster" 2>&1 &
cluster=$!
trap 'kill -INT $journeys $cluster; wait; exit 130' INT TERM
.venv/bin/python -m pytest --ignore tests/journeys --ignore tests/vllm --ignore tests/cluster
ended=$?
for each in "journeys $journeys" "cluster $cluster"; do
    echo "The tests of ${each% *}:"
    wait "${each#* }" || ended=1
    cat "$said/${each% *}"
done
exit "$ended"
