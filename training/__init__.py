"""What we learn: formats, methods, evaluation, generation and run folders. Reads folders, never the database."""
