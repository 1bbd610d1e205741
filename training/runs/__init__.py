"""Runs: folders, processes and records of what was done."""
