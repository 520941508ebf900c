"""What a request will probably come to at each model: whether its output passes, what it costs, how long it takes.

Learnt from this appliance's own audited outcomes (tests that ran) and kept as one versioned artefact. What to do with
an estimate is decided elsewhere.
"""
