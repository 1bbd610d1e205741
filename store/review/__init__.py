"""Review: what people disagree on, and the last word of a curator or of a blind batch."""
