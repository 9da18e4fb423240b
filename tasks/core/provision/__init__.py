"""What a machine without an engine or a registry gets: an engine, a registry, base images."""
