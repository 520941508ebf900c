"""Families about dates and times of day."""
