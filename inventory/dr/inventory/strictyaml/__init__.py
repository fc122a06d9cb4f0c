"""Strict YAML 1.2 with positions: reading, and checking against pydantic models."""
