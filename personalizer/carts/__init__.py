"""Carts: their state, which were left, and the loop that looks."""
