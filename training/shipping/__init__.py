"""Shipping: a tuned model as a plain folder that any program loads, with the proof that it is the same model."""
