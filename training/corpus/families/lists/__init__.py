"""Families about lists."""
