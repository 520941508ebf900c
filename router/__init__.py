"""Which engine answers, at what price: policy -> difficulty -> budget -> limits -> call -> record.

Read `router.py` first: a router is an Engine made of Engines.
"""
