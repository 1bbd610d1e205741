"""Hardware: how several processes, on one machine or on many, share the work of one plan."""
