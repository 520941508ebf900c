"""Versions of a model: which one answers, what is observed of them, and when a canary is rolled back.

`state` and `trial` are pure; `versions` is what the router asks on every call; `releases` takes decisions, records
them and opens and closes engines. What a version is made of is inference's.
"""
