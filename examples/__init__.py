"""Programs that use Bailey from outside, as its users do."""
