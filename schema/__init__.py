"""What two processes must agree on, and nothing else: events, profiles, Redis keys and functions, ClickHouse tables."""
