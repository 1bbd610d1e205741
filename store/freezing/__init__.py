"""Freezing: from what is known to a dataset that never changes."""
