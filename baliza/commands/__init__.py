"""The commands of the ground: running services, the stores, the registry."""
