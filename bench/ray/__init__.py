"""Measures what a Ray cluster costs: the same engine with and without Ray in front. Not part of the product."""
