"""Curation: finding rows, deciding on them, and what rules may know."""
