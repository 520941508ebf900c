#!/bin/sh
# Make the two bundled models from nothing. Every step that is done is skipped, and training goes on at its last
# checkpoint, so an interrupted run is simply started again. torch lives in an environment of its own.
set -eu
cd "$(dirname "$0")/.."
learn=.venv-training/bin/python
work=training/work
[ -x "$learn" ] || "${PYTHON:-python3}" -m venv .venv-training
"$learn" -m pip install --quiet --requirement training/requirements.txt
[ -e "$work/train.jsonl" ] || "$learn" -m training corpus
[ -e "$work/tokenizer.json" ] || "$learn" -m training tokenizer
for name in pico-coder nano-coder; do
    "$learn" -m training train "$name"
    "$learn" -m training export "$name"
    .venv/bin/python -m training evaluate "$name" --results "inference/bundled/$name/results.json"
    .venv/bin/python -m training card "$name"
done
echo "The models are in inference/bundled; \`make bench GROUP=models\` measures them through the product."
