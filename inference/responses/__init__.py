"""OpenAI's Responses API for any Engine: conversations that are kept, so that the next turn names the last one.

`items.py` has what conversations consist of, `requests.py` reads bodies, `answers.py` writes whole responses,
`events.py` streams of them, `store.py` says what is kept, `routes.py` is the server side.
"""
