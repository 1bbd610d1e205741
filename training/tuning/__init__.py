"""Tuning: every method, watched."""
