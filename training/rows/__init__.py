"""Rows: from a snapshot to what a method learns from."""
