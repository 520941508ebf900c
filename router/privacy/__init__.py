"""What a request must not tell a model outside the walls: secrets and personal data are found, counted, and kept in.

`assessment` is what a router asks, before each decision and again as it sends; `models.yaml` declares the rules. What
is found has a recognisable shape, so this is a net, not a proof: it makes rules stricter and never milder.
"""
