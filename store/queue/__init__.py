"""Queue: which work there is, and who gets which task."""
