"""Consensus: what several judgements of a question add up to."""
