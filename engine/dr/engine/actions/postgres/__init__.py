"""PostgreSQL: who is what, fencing, promoting, starting, and how much would be lost."""
