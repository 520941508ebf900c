"""Bounds on a rate that may be looked at after every observation. Pure.

The bounds hold for all sample sizes at once, so looking often and stopping at will does not make them wrong more often.

For observations of 0 or 1 with means p_i (each may depend on all that came before) and any l > 0,
exp(l S - sum log(1 + p_i (e^l - 1))) is a martingale that starts at 1. The logarithm is concave, so
exp(l S - n log(1 + p (e^l - 1))), p the average of the means, is never above it, and neither is an average of such
terms over several l. By Ville's inequality that average is ever above 1 / alpha with a probability of at most alpha.
The lower bound is the p where it is just that; below it the average mean is not. The rate may drift: the bound is one
on the average so far.

Mixtures over l: H. Robbins, Statistical methods related to the law of the iterated logarithm, Ann. Math. Stat. 41
(1970). Discrete mixtures and this ("sub-Bernoulli") exponent: S. Howard, A. Ramdas, J. McAuliffe, J. Sekhon,
Time-uniform, nonparametric, nonasymptotic confidence sequences, Ann. Stat. 49 (2021).
"""

from __future__ import annotations

import math

# Shifts of the log odds, for rates that differ by little (many observations) to those that differ by thousands.
_SHIFTS = tuple(math.sqrt(2.0) ** half for half in range(-12, 7))
_PRECISION = 1e-9


def lower_bound(seen: int, bad: int, alpha: float) -> float:
    """A rate that the average one is below, ever, with a probability of at most `alpha`; `bad` of `seen` were."""
    most = math.log(1 / alpha)
    if bad == 0 or _evidence(seen, bad, 0.0) <= most:
        return 0.0
    low, high = 0.0, bad / seen
    while high - low > _PRECISION:
        middle = (low + high) / 2
        low, high = (middle, high) if _evidence(seen, bad, middle) > most else (low, middle)
    return low


def upper_bound(seen: int, bad: int, alpha: float) -> float:
    """A rate that the average one is above, ever, with a probability of at most `alpha`."""
    return 1.0 - lower_bound(seen, seen - bad, alpha)


def _evidence(seen: int, bad: int, rate: float) -> float:
    """The logarithm of the averaged terms against `rate`; it falls as the rate rises."""
    terms = [shift * bad - seen * math.log1p(rate * math.expm1(shift)) for shift in _SHIFTS]
    largest = max(terms)
    return largest + math.log(sum(math.exp(term - largest) for term in terms) / len(terms))
