"""Real engines in this process tree: a Valkey server and the ClickHouse engine behind its native protocol."""
