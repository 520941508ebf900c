"""Shadow traffic: what another model would have answered to a share of a route's requests, and how the two compare.

`spec.py` says which requests, `engine.py` asks, `pairs.py` reads the calls back, `comparison.py` compares.
"""
