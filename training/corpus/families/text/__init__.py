"""Families about text: words, letters, cleaning and layout."""
