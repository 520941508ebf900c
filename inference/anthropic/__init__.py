"""Anthropic's Messages API in both directions: for any Engine, and as an Engine.

Agents in editors and terminals speak it: `requests.py` reads bodies, `answers.py` writes whole messages, `events.py`
streams of them, `routes.py` is the server side. `client.py` is the other one, with `outgoing.py` and `incoming.py`.
"""
