"""Where offers come from: one module a source, all pure."""
