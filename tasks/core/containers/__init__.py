"""Containers that Slipway starts, and what runs in them."""
