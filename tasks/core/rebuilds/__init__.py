"""Builds made only to be measured: in a copy of the repository, under names of their own."""
