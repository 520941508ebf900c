"""Families that write values as text."""
