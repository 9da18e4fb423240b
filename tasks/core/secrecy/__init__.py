"""Secrets: what they look like, where they are, and how they stay out of what is said."""
