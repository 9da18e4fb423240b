"""From sources to what ships: built, proven, pushed as it was proven."""
