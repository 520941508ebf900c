"""Families about prices and sums of money."""
