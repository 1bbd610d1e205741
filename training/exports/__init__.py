"""Exports: training files for other programs, and what those would make of them."""
