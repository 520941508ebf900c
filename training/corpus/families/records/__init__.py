"""Families about lists of dicts."""
