"""The llama.cpp engine: one model in this process, many requests decoded together.

`engine.py` is what others see. `prompt.py`, `grammar.py` and `toolcalls/` prepare a request; `sequence.py` is one
answer being written, `output.py` what can be read of it; `scheduler.py` decides what the next step computes, in the
slots of `slots.py`; `runner.py` computes it, with as many `threads.py` as pays; `sampler.py` and `draw.py` draw tokens;
`worker.py` is the thread in which all of that happens, `outbox.py` the way out of it. `loading.py` makes the weights
and contexts, for which `library.py`, `model.py`, `context.py` and `embedder.py` wrap the C API.
"""
