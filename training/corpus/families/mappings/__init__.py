"""Families about dicts."""
