"""Models: what a plan's model means, and how it is loaded."""
