"""A miniature data centre on one Linux machine, to break and to recover for real."""
