"""Plans: what a run is asked to do."""
