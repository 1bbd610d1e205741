"""Pure mathematics on plain values: agreement and consensus. Knows nothing of the database."""
