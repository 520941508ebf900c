"""What stands between the router and each engine, so that one that fails costs little: limits of time, retries before
the first chunk within a budget, a circuit breaker, pauses that the other end asks for.

State is of one upstream and one process. The router puts a guard (guard.py) around each attempt; what it passes over
is passing.py's.
"""
