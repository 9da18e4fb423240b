"""Proving images: which, under what policy, and what came of it."""
