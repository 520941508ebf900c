"""Anthropic's Messages API for any Engine: agents in editors and terminals speak it.

`requests.py` reads bodies, `answers.py` writes whole messages, `events.py` streams of them, `routes.py` is the server
side. There is no client side: `http.py` reaches Anthropic's models through the OpenAI format that they, too, offer.
"""
