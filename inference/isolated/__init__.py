"""An engine in a process of its own: what crashes there takes nobody along, and what computes there holds nobody up.

`engine.py` is the engine that others see, `host.py` the process's main program, `messages.py` what they say to
each other. What is hosted is an ordinary engine that knows nothing of this.
"""
