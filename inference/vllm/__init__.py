"""vLLM's own OpenAI server as a supervised child. vLLM is never imported: it lives in an environment of its own.

`placement.py` is what models.yaml says about it, `arguments.py` the command line that follows, `check.py` holds that
against the vLLM that is installed, `engine.py` supervises the child and `client.py` speaks to it.
"""
