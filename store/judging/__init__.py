"""Judging: what annotators submit, take back and say besides, and reading it again."""
