"""Engines, and nothing about choosing between them.

Read `protocol.py` first: everything that can answer is an `Engine`. `engines.py` makes one from an entry of
`catalog.py`: `scripted.py`, `http.py` and `anthropic/client.py` (on `upstream.py`, which asks another server), `vllm/`
(a `child.py` with `http.py` in front) or `llamacpp/`. `openai/` and `anthropic/` are the wire formats and the routes
for any Engine, on what they share in `wire/`; `weights/` finds model files.
"""
