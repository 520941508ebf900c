"""Families that read values out of text."""
