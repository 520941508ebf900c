"""Families of small classes."""
