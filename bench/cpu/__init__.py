"""Our llama.cpp engine behind its whole HTTP surface, beside llama-server and llama-cpp-python's own server.

`group.py` is what `python -m bench cpu` runs; `python -m bench.cpu --help` runs a part of it.
"""
