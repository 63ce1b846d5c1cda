"""What became of offers: decisions are logged, carried into the history, joined with responses, and learned from."""
