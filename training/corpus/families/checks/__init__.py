"""Families that say yes or no to a text."""
