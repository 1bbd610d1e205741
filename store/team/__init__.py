"""Team: who works here, and how each of them judges."""
