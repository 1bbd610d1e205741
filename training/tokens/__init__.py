"""Tokens: texts as token ids, and what became of every row."""
