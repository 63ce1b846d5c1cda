"""How good a model is, on any log: what visitors did next beside what it would have ranked."""
