"""The families, a package for each theme. A decorated function is a family and all that registry.py looks for.

Where a family needs more than a screen, its parts stand above it under its name: `x_oracle` (an independent
implementation), `x_says` and `x_rules` (the wording), `x_code`, `x_tests` and `X_INPUTS`.
"""
