"""Preflight: what a plan would do, found out before it does it. No weights are loaded and nothing is trained."""
