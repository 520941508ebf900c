"""Families about single numbers."""
