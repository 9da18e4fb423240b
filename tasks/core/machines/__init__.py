"""Builders of buildx: the machines that build."""
