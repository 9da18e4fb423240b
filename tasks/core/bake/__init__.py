"""Bake: what is to be built, how it is asked for, run, and taken in."""
