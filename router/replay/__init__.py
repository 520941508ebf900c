"""What-if replay: the calls on record, decided again by other rules, and what that would have meant.

`logged.py` reads them, `whatif.py` compares. Called by `bailey route replay`; no model is asked.
"""
