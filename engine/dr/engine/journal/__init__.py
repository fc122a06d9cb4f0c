"""The append-only, hash-chained memory of every run, on SQLite or PostgreSQL."""
