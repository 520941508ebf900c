"""Run code nobody trusts.

Read `protocol.py` first, then `profiles/`: isolation is data that a security reviewer reads without Python.
"""
