"""Runbooks from YAML: read strictly, every error at once, each with its position."""
