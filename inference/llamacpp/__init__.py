"""The llama.cpp engine: one model in this process, many requests decoded together.

`engine.py` is what others see. `prompt.py`, `grammar.py` and `toolcalls/` prepare a request; `sequence.py` is one
answer being written, `output.py` what can be read of it; `scheduler.py` decides what the next step computes;
`runner.py` computes it; `sampler.py` draws tokens; `worker.py` is the thread in which all of that happens.
`library.py`, `model.py` and `embedder.py` wrap the C API.
"""
