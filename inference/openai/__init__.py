"""OpenAI's wire format in both directions, and the HTTP routes that speak it for any Engine.

`requests.py` and `responses.py` hold the JSON shapes; `encode.py` and `decode.py` turn the shapes of
answers from and into the protocol's types; `routes.py` is the server side, `inference/http.py` the client side.
"""
