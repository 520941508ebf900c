"""Run code nobody trusts.

Read `protocol.py` first, then `profiles/`: isolation is data that a security reviewer reads without Python. There are
three sandboxes: `nsjail.py` with what is in `jails/`, `landlock.py` with `linters/` for hosts that can make no jails,
and `service/` for one that is elsewhere.

Not covered: bugs of the one kernel that all jails share; side channels between jails at the same time (timing, page
cache, file locks, change notices); test results forged by the code under test, which runs in the process that reports
them; in tier B what happens between two samples; contents of command lines in the record. docs/sandbox.md says more.
"""
