"""What the model should see: the best passages of a repository in the fewest tokens.

Read `protocol.py` first.
"""
