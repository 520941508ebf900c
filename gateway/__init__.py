"""Every way into the box, and the only place that knows everyone.

Read `assemble.py` for the wiring; `cli/` and `app.py` are the doors.
"""
