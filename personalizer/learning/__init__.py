"""Learning: from the history to a model file, again and again."""
