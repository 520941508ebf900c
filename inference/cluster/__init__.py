"""Models on a Ray cluster: replicas of engines, placed by Ray Serve, behind the one engine that the router sees.

Only `placer.py`, `directory.py` and `replica.py` know Ray, and they run in processes of their own; the gateway reaches
replicas over HTTP. Read in this order: messages, engine, pool, cluster, placer, replica.
"""
