"""A small shop that embeds the beacon, and the shoppers who walk through it."""
