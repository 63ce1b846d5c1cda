"""Models: what is learned from the history, as memory-mapped arrays on disk."""
