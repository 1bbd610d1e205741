"""Measuring: scores and answers of models."""
