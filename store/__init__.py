"""What we know: schema, queue, judgements, consensus, curation, snapshots and lineage. The only owner of DuckDB."""
