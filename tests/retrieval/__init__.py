"""Tests of what the model gets to see: passages, their index, and the choice among them."""
