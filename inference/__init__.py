"""Engines, and nothing about choosing between them.

Read `protocol.py` first: everything that can answer is an `Engine`.
"""
