"""Offers: from a request to its answer. What decides is pure."""
